"""A spec and a price table to what a run may cost: a range, never a point."""

from __future__ import annotations

from dataclasses import dataclass

from controller.settings import Prices
from controller.state.desired import BaseModel, DesiredModel

# Bytes of UTF-8 per token of the large models' vocabularies: English prose has 4 to 5, code and digits down to 2, and
# no common text more than 6. The bounds are wide on purpose: a budget is kept with the dearest reading.
_BYTES_PER_TOKEN_MOST = 6.0
_BYTES_PER_TOKEN_LEAST = 2.0
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run may come to, in ``currency``; ``as_of`` dates the prices."""

    low: float
    high: float
    currency: str
    as_of: str


def cost(model: DesiredModel, prices: Prices | None) -> Cost | None:
    """The range for one run of a spec; None where no price of its base model is given."""
    if prices is None or not isinstance(model.base, BaseModel):
        return None
    price = prices.per_million_tokens.get(model.base.name)
    if price is None:
        return None
    trained = model.dataset.bytes * model.epochs
    return Cost(
        low=round(trained / _BYTES_PER_TOKEN_MOST / _MILLION * price, 6),
        high=round(trained / _BYTES_PER_TOKEN_LEAST / _MILLION * price, 6),
        currency=prices.currency,
        as_of=prices.as_of,
    )

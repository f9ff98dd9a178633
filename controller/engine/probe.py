"""A finished model and what it was tuned from to whether it answers at all."""

from __future__ import annotations

from itertools import islice

from controller.errors import Rejected
from controller.ports import Provider
from controller.state.desired import DesiredModel

_ANYTHING = "1"
_LOOKED_AT = 1000


async def probe(provider: Provider, model: str, spec: DesiredModel | None) -> None:
    """One short answer, whatever it says, to the shortest of its spec's first inputs (None: it has no spec any more).

    A listing says ACTIVE of a model whose base was retired, too. Raises `Transient` where it has to be asked again and
    `Rejected` where it does not serve; a prompt that is refused for what it says was heard.
    """
    first = islice(spec.dataset.examples, _LOOKED_AT) if spec is not None else ()
    prompt = min((example.text_input for example in first), key=len, default=_ANYTHING)
    try:
        await provider.generate(model, prompt)
    except Rejected as error:
        if not error.is_about_the_prompt:
            raise

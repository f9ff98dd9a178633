"""Pure functions of the product that remember their answers: the same bytes are read once, not once a pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from controller import dataset
from controller.engine import desire, examples
from tests.simulation import ledger_port

_PLACES: tuple[tuple[Any, str], ...] = (
    (desire, "read_file"),
    (ledger_port, "read_status"),
)
_done: list[bool] = []


def remember() -> None:
    """Wrap them, once. What they return is frozen, so nobody can change what others are given."""
    if _done:
        return
    _done.append(True)
    for module, name in _PLACES:
        setattr(module, name, _remembering(getattr(module, name)))
    room: Any = examples
    kept = _remembering(lambda data, *told: dataset.load(lambda: (data,), *told))

    class Door:
        """The dataset room, with one function that remembers."""

        @staticmethod
        def load(source: dataset.Source, *told: Any) -> dataset.Loaded:
            found: dataset.Loaded = kept(b"".join(source()), *told)
            return found

        advise_hyperparameters = staticmethod(dataset.advise_hyperparameters)

    room.dataset = Door


def _remembering(real: Callable[..., Any]) -> Callable[..., Any]:
    known: dict[Any, Any] = {}

    def answer(*args: Any) -> Any:
        key = tuple(tuple(sorted(arg.items())) if isinstance(arg, dict) else arg for arg in args)
        try:
            return known[key]
        except KeyError:
            pass
        except TypeError:
            return real(*args)
        if len(known) > 20_000:
            known.clear()
        known[key] = found = real(*args)
        return found

    return answer

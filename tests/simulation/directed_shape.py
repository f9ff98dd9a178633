"""What a directed situation is, and the pieces that those of every kind are made from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.simulation.faults import Schedule
from tests.simulation.people import Act
from tests.simulation.remote import Service
from tests.simulation.shape import Shape
from tests.simulation.wishes import Wish

ALPHA = Wish("alpha", "alpha")
DOOMED = replace(ALPHA, delete=True)
KEEPER = Wish("keeper", "keeper")  # stays, so that a removal is not the removal of everything
LONG = 9000.0


@dataclass(frozen=True, slots=True)
class Directed:
    """A situation by its name, and the shape that leads to it."""

    name: str
    shape: Shape


def directed(name: str, acts: tuple[Act, ...], shape: Shape, *faults: str) -> Directed:
    """A situation in which these acts and faults happen, and no others."""
    only = frozenset((*faults, *(act.key for act in acts)))
    end = max((act.at for act in acts), default=0.0) + 2500.0
    whole = replace(shape, acts=acts, schedule=Schedule(frozenset(), 0.0, only), safety=max(end, shape.safety))
    return Directed(name, whole)


def service_of(tuning: float = 400.0) -> Service:
    """A service whose runs take just so long."""
    return Service(shortest=tuning, longest=tuning)

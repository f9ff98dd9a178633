"""Planned situations, each the shortest in which a certain kind of bug bites: run before any random seed.

The swarm meets most situations by chance; those that need two or three rare moments in one order are made here. A
controller without the bug goes through every one of them without a broken promise.
"""

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
_LOOK = 74.0  # less than the shortest time between two passes


@dataclass(frozen=True, slots=True)
class Directed:
    """A situation by its name, and the shape that leads to it."""

    name: str
    shape: Shape


def _acts(*acts: tuple[float, str, int]) -> tuple[Act, ...]:
    return tuple(Act(at, what, "alpha", to) for at, what, to in acts)


def _directed(name: str, acts: tuple[Act, ...], shape: Shape, *faults: str) -> Directed:
    only = frozenset((*faults, *(act.key for act in acts)))
    end = max((act.at for act in acts), default=0.0) + 2500.0
    whole = replace(shape, acts=acts, schedule=Schedule(frozenset(), 0.0, only), safety=max(end, shape.safety))
    return Directed(name, whole)


def _service(tuning: float = 400.0) -> Service:
    return Service(shortest=tuning, longest=tuning)


_QUIET = Shape(
    seed=1,
    wishes=(ALPHA, KEEPER),
    service=_service(),
    interval=150.0,
    grace=300.0,
    parsed_ledger=False,
    quiet_passes=2,
)
_DOOMED = replace(_QUIET, wishes=(DOOMED, KEEPER))
_FLAPS = tuple(
    (at, what, 0)
    for start in (600.0 + 500.0 * n for n in range(8))
    for at, what in ((start, "remove"), (start + _LOOK, "revert"))
)

DIRECTED: tuple[Directed, ...] = (
    _directed("deleted on purpose", _acts((1200.0, "remove", 0)), _DOOMED),
    _directed(
        "wanted again where ids stay taken",
        _acts((1200.0, "remove", 0), (2400.0, "revert", 0)),
        replace(_DOOMED, service=replace(_service(), reserves=True)),
    ),
    _directed(
        "wanted again while replicas still show the deleted model",
        _acts((1200.0, "remove", 0), (2400.0, "revert", 0)),
        replace(_DOOMED, service=replace(_service(), frozen=((1500.0, 3600.0, 1500.0),))),
    ),
    _directed(
        "an answer lost where the service chooses ids and its replicas lag",
        (),
        replace(_QUIET, stack="vertex", service=replace(_service(), chooses_id=False, frozen=((0.0, 1500.0, 0.0),))),
        "create#1:create.lost",
    ),
    _directed(
        "the last look before a deletion finds half a tree",
        _acts((1200.0, "remove", 0)),
        _DOOMED,
        "again#1:again.half",
    ),
    _directed(
        "the last look before a deletion finds the spec again",
        _acts((1200.0, "remove", 0)),
        _DOOMED,
        "again#1:again.wanted",
    ),
    _directed(
        "somebody takes over a model at the last moment",
        _acts((1200.0, "remove", 0)),
        _DOOMED,
        "again#1:again.unmarked",
    ),
    _directed(
        "removed, wanted again and removed again",
        _acts((1200.0, "remove", 0), (1700.0, "revert", 0), (3600.0, "remove", 0)),
        replace(_DOOMED, grace=900.0),
    ),
    _directed("a spec that cannot be read", _acts((1200.0, "break", 1)), _QUIET),
    _directed("a spec that cannot be read while its model is doomed otherwise", _acts((1200.0, "break", 1)), _DOOMED),
    _directed(
        "removed while tuning",
        _acts((600.0, "remove", 0)),
        replace(_QUIET, service=_service(LONG)),
    ),
    _directed(
        "gone for the time of one look, again and again", _acts(*_FLAPS), replace(_QUIET, service=_service(LONG))
    ),
    _directed(
        "a cancelled run that a person clears away, and its inputs wanted again",
        _acts((600.0, "epochs", 1), (1800.0, "epochs", 0)),
        replace(_QUIET, wishes=(ALPHA,), service=_service(900.0), strikes=((1500.0, "console.deleted", 0),)),
    ),
    _directed(
        "a slow create, and another controller at work meanwhile",
        (Act(500.0, "add", "beta", 0), Act(600.0, "add", "gamma", 0)),
        replace(_QUIET, controllers=2, service=replace(_service(), distance=20.0)),
        "create#1:create.hangs",
    ),
)

"""Planned situations, each the shortest in which a certain kind of bug bites: run before any random seed.

The swarm meets most situations by chance; those that need two or three rare moments in one order are made here. A
controller without the bug goes through every one of them without a broken promise.
"""

from __future__ import annotations

from dataclasses import replace

from tests.simulation.directed_review import DIRECTED_REVIEW
from tests.simulation.directed_shape import ALPHA, DOOMED, KEEPER, LONG, Directed, directed, service_of
from tests.simulation.people import Act
from tests.simulation.remote import Service
from tests.simulation.shape import Shape
from tests.simulation.windows import Window
from tests.simulation.wishes import Wish

_DAYS = 2 * 86_400.0
_LATE = 10.0**9
_LOOK = 74.0  # less than the shortest time between two passes


def _acts(*acts: tuple[float, str, int]) -> tuple[Act, ...]:
    return tuple(Act(at, what, "alpha", to) for at, what, to in acts)


def _unseen(until: float, tuning: float = 400.0) -> Service:
    """A service whose replicas show nothing before that time."""
    return replace(service_of(tuning), frozen=((0.0, until, 0.0),))


_QUIET = Shape(
    seed=1,
    wishes=(ALPHA, KEEPER),
    service=service_of(),
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

# Many alike, each at another moment: whenever the passes of two controllers overlap, one of them is caught in between.
_MANY = tuple(Wish(f"one-{n}", f"one-{n}") for n in range(8))
_DOOMED_AND_REMOVED = ((1000.0, "doom"), (1090.0, "remove"))

_DECIDING: tuple[Directed, ...] = (
    directed("deleted on purpose", _acts((1200.0, "remove", 0)), _DOOMED),
    directed("left alone", _acts((1200.0, "remove", 0)), _QUIET),
    directed("shown by another name", _acts((1200.0, "display", 3)), _QUIET),
    directed(
        "other inputs, three times", _acts((900.0, "epochs", 1), (1800.0, "rows", 1), (2700.0, "attempt", 0)), _QUIET
    ),
    directed(
        "superseded, and let finish",
        _acts((600.0, "epochs", 1)),
        replace(_QUIET, wishes=(replace(ALPHA, finish=True), KEEPER), service=service_of(1500.0)),
    ),
    directed(
        "a budget for one run of two",
        (),
        replace(
            _QUIET,
            wishes=(replace(ALPHA, epochs=4), replace(KEEPER, epochs=4)),
            budget=0.0095,
            service=replace(service_of(), price=10.0),
        ),
    ),
    directed(
        "wanted again where ids stay taken",
        _acts((1200.0, "remove", 0), (2400.0, "revert", 0)),
        replace(_DOOMED, service=replace(service_of(), reserves=True)),
    ),
    directed(
        "renamed, deleted under its new name and wanted again under the first, where ids stay taken",
        (*_acts((1200.0, "rename", 2)), Act(1800.0, "remove", "alpha-r2"), *_acts((2800.0, "add", 0))),
        replace(_DOOMED, service=replace(service_of(), reserves=True)),
    ),
    directed(
        "wanted again while replicas still show the deleted model",
        _acts((1200.0, "remove", 0), (2400.0, "revert", 0)),
        replace(_DOOMED, service=replace(service_of(), frozen=((1500.0, 3600.0, 1500.0),))),
    ),
    directed(
        "an answer lost where the service chooses ids and its replicas lag",
        (),
        replace(_QUIET, stack="vertex", service=replace(_unseen(1500.0), chooses_id=False)),
        "create#1:create.lost",
    ),
    directed(
        "the last look before a deletion finds half a tree",
        _acts((1200.0, "remove", 0)),
        _DOOMED,
        "again#1:again.half",
    ),
    directed(
        "the last look before a deletion finds the spec again",
        _acts((1200.0, "remove", 0)),
        _DOOMED,
        "again#1:again.wanted",
    ),
    directed(
        "somebody takes over a model at the last moment",
        _acts((1200.0, "remove", 0)),
        _DOOMED,
        "again#1:again.unmarked",
    ),
    directed(
        "removed, wanted again and removed again",
        _acts((1200.0, "remove", 0), (1700.0, "revert", 0), (3600.0, "remove", 0)),
        replace(_DOOMED, grace=900.0),
    ),
    directed("a spec that cannot be read", _acts((1200.0, "break", 1)), _QUIET),
    directed(
        "a spec that nobody mends, and another one renamed",
        (Act(600.0, "break", "beta", 1), *_acts((1200.0, "rename", 1))),
        replace(_QUIET, wishes=(ALPHA, replace(ALPHA, name="beta", lineage="beta")), mend=False),
    ),
    directed("a spec that cannot be read while its model is doomed otherwise", _acts((1200.0, "break", 1)), _DOOMED),
    directed(
        "removed while tuning",
        _acts((600.0, "remove", 0)),
        replace(_QUIET, service=service_of(LONG)),
    ),
    directed(
        "superseded, and its cancel does nothing",
        _acts((600.0, "epochs", 1)),
        replace(_QUIET, service=service_of(LONG)),
        "write#1:write.deaf",
    ),
    directed(
        "removed while tuning, and its cancel does nothing",
        _acts((600.0, "remove", 0)),
        replace(_QUIET, service=service_of(LONG)),
        "write#1:write.deaf",
    ),
    directed(
        "gone for the time of one look, again and again", _acts(*_FLAPS), replace(_QUIET, service=service_of(LONG))
    ),
    directed(
        "a cancelled run that a person clears away, and its inputs wanted again",
        _acts((600.0, "epochs", 1), (1800.0, "epochs", 0)),
        replace(_QUIET, wishes=(ALPHA,), service=service_of(900.0), strikes=((1500.0, "console.deleted", 0),)),
    ),
    directed(
        "wanted again after it was superseded, while what superseded it still tunes",
        _acts((600.0, "epochs", 1), (1200.0, "epochs", 0)),
        replace(_QUIET, service=service_of(LONG)),
    ),
    directed(
        "our clock is two days ahead from the day of a tombstone on",
        _acts((1200.0, "remove", 0)),
        replace(_DOOMED, grace=3000.0, clocks=((1400.0, 9000.0, _DAYS),)),
    ),
    directed(
        "our clock was two days behind when a tombstone was written",
        _acts((1200.0, "remove", 0)),
        replace(_DOOMED, grace=3000.0, clocks=((0.0, 1400.0, -_DAYS),)),
    ),
    directed(
        "a run that its service cancels",
        (),
        _QUIET,
        "run/run.cancelled#1:run.cancelled",
    ),
    directed(
        "not to be seen when it was removed, and wanted again while it still tunes",
        _acts((1300.0, "remove", 0), (2600.0, "revert", 0)),
        replace(_QUIET, service=replace(service_of(LONG), frozen=((1200.0, 2400.0, 0.0),))),
    ),
    directed(
        "no record and no listing where the service chooses ids",
        (),
        replace(
            _QUIET,
            stack="vertex",
            service=replace(service_of(), chooses_id=False, unlisted=((1500.0, 2100.0),)),
            strikes=((1500.0, "ledger.vanished", 0),),
        ),
    ),
    directed(
        "removed before it shows, and wanted again",
        _acts((260.0, "remove", 0), (2600.0, "revert", 0)),
        replace(_DOOMED, grace=100.0, service=_unseen(690.0, LONG)),
    ),
    directed(
        "a mirror that shows what was replaced",
        _acts((900.0, "epochs", 1)),
        replace(_QUIET, service=service_of(700.0), shown=(Window(1250.0, 1700.0, 0),)),
    ),
    directed(
        "a removal that was taken back, and a mirror that shows it",
        _acts((1200.0, "remove", 0), (1560.0, "revert", 0)),
        replace(_DOOMED, shown=(Window(1750.0, 3000.0, 1),)),
    ),
    directed(
        "plans that are out of date before they are approved",
        _acts(*((500.0 + 90.0 * n, "epochs", n % 3) for n in range(12))),
        replace(_QUIET, reviewed=True),
    ),
    directed(
        "a deletion whose answer is lost, and replicas that still show the model",
        _acts((1200.0, "remove", 0)),
        replace(_DOOMED, stack="http", service=replace(service_of(), frozen=((1500.0, 2600.0, 1500.0),))),
        "write#1:write.lost",
    ),
    directed(
        "what may have been paid for leaves no room in the budget",
        _acts((400.0, "add", 1)),
        replace(
            _QUIET,
            wishes=(replace(KEEPER, epochs=4),),
            budget=0.0095,
            service=replace(_unseen(1500.0), price=10.0),
        ),
        "create#1:create.lost",
    ),
    directed(
        "asleep between the intent and the create, and the spec renamed meanwhile",
        _acts((120.0, "rename", 1)),
        replace(_QUIET, controllers=2, service=service_of(LONG), safety=6000.0),
        "pause/pause.ledger#1:pause.ledger",
    ),
    directed(
        "asleep between the intent and the create, and other inputs wanted meanwhile",
        _acts((120.0, "epochs", 1)),
        replace(_QUIET, controllers=2, service=service_of(LONG), safety=6000.0),
        "pause/pause.ledger#1:pause.ledger",
    ),
    directed(
        "a rename whose first change fails, and a mirror that shows the former name",
        _acts((1200.0, "rename", 1)),
        replace(
            _QUIET,
            stack="vertex",
            service=replace(service_of(), chooses_id=False),
            shown=(Window(1351.0, 2200.0, 0),),
        ),
        "write#1:write.500-after",
    ),
    directed(
        "an answer lost, the spec renamed, and the model not to be seen yet",
        _acts((260.0, "rename", 1)),
        replace(_QUIET, service=_unseen(900.0)),
        "create#1:create.lost",
    ),
    directed(
        "an answer lost where the service chooses ids, and the only spec removed",
        _acts((600.0, "remove", 0)),
        replace(
            _QUIET,
            wishes=(ALPHA,),
            stack="vertex",
            service=replace(_unseen(800.0), chooses_id=False),
        ),
        "create#1:create.lost",
    ),
    directed(
        "a create that hangs, and another answer lost for a higher attempt meanwhile, where the service chooses ids",
        _acts((260.0, "attempt", 0)),
        replace(
            _QUIET,
            controllers=2,
            stack="vertex",
            service=replace(service_of(20.0), chooses_id=False, frozen=((260.0, 960.0, 259.0),)),
        ),
        "create#1:create.hangs",
        "create#2:create.500-after",
    ),
    directed(
        "an answer lost, the spec removed, and the model not to be seen yet",
        _acts((260.0, "remove", 0)),
        replace(_DOOMED, service=_unseen(650.0)),
        "create#1:create.lost",
    ),
    directed(
        "an answer lost, other inputs wanted, and the model not to be seen yet",
        _acts((260.0, "epochs", 1)),
        replace(_QUIET, service=_unseen(650.0)),
        "create#1:create.lost",
    ),
    directed(
        "dead before the first request and after the second, other inputs wanted, and the model not to be seen yet",
        _acts((1200.0, "epochs", 1)),
        replace(
            _QUIET,
            wishes=(ALPHA,),
            service=_unseen(1600.0, LONG),
            blind=(Window(150.0, 900.0),),
            crash_at=frozenset({(1, "after"), (3, "acted")}),
        ),
    ),
    directed(
        "refused, dead after it was sent again, other inputs wanted, and the model not to be seen yet",
        _acts((600.0, "epochs", 1)),
        replace(
            _QUIET,
            wishes=(ALPHA,),
            service=_unseen(900.0, LONG),
            blind=(Window(250.0, 750.0),),
            crash_at=frozenset({(5, "acted")}),
        ),
        "create#1:create.429",
    ),
    directed(
        "an answer lost, and a mirror that shows what was asked for before",
        _acts((1200.0, "display", 4), (1201.0, "epochs", 1)),
        replace(
            _QUIET,
            service=replace(service_of(), frozen=((1200.0, 2600.0, 1190.0),)),
            shown=(Window(1430.0, 2600.0, 1),),
        ),
        "create#3:create.lost",
    ),
    directed(
        "an answer lost before a rename, and a mirror that shows the former name",
        _acts((120.0, "rename", 1)),
        replace(
            _QUIET,
            wishes=(ALPHA,),
            seed=2,
            service=_unseen(1000.0),
            shown=(Window(330.0, 2200.0, 0),),
        ),
        "create#1:create.lost",
    ),
    directed(
        "a rename that is undone where the service chooses ids",
        _acts((1200.0, "rename", 1), (2000.0, "revert", 0)),
        replace(_QUIET, stack="vertex", service=replace(service_of(), chooses_id=False)),
    ),
    directed(
        "a rename that is undone, and made otherwise before anybody looked, where the service chooses ids",
        (*_acts((1200.0, "rename", 1), (2000.0, "revert", 0)), Act(2001.0, "rename", "alpha", 4)),
        replace(_QUIET, stack="vertex", service=replace(service_of(), chooses_id=False)),
    ),
    directed(
        "renamed while it tunes, and removed before its mark is written anew",
        (Act(400.0, "rename", "alpha", 1), Act(900.0, "remove", "alpha-r1")),
        replace(_DOOMED, service=service_of(LONG)),
    ),
    directed(
        "taken away by hand, and wanted again at the moment of its deletion",
        _acts((1200.0, "remove", 0)),
        replace(_DOOMED, strikes=((1100.0, "console.deleted", 0),)),
        "again#1:again.wanted",
    ),
    directed(
        "a service whose clock is two days ahead for the time of one look, again and again",
        _acts((200.0, "limit", 0)),
        replace(
            _QUIET,
            wishes=(ALPHA,),
            service=replace(service_of(1100.0), dates=tuple((t, t + _LOOK, _DAYS) for t in (450.0, 750.0, 1050.0))),
        ),
    ),
    directed(
        "a clock of ours that is ahead, and a run with a limit",
        (),
        replace(
            _QUIET, wishes=(replace(ALPHA, limit="10m"),), service=service_of(550.0), clocks=((0.0, _LATE, _DAYS),)
        ),
    ),
    directed(
        "a finished model that does not answer for a while",
        (),
        replace(_QUIET, service=replace(service_of(), mute=((0.0, 1500.0),))),
    ),
    directed(
        "eight edits of a spec whose run has just begun",
        _acts(*((200.0 + 40.0 * n, "epochs", n % 3) for n in range(8))),
        replace(_QUIET, wishes=(ALPHA,), interval=30.0, settle=200.0, service=service_of(LONG)),
    ),
    directed(
        "words that the service stores otherwise, and a hand that changes them",
        _acts((1200.0, "describe", 3)),
        replace(_QUIET, service=replace(service_of(), folds=True), strikes=((1800.0, "console.edited", 0),)),
    ),
    directed(
        "copied by hand with its mark, deleted on purpose and wanted again",
        _acts((1200.0, "remove", 0), (2400.0, "revert", 0)),
        replace(_DOOMED, strikes=((1000.0, "console.copied", 0),)),
    ),
    directed(
        "copied by hand with its mark, then the first is deleted by hand and the ledger lost, and other words wanted",
        _acts((1800.0, "display", 1)),
        replace(
            _QUIET,
            wishes=(ALPHA,),
            strikes=((1000.0, "console.copied", 0), (1200.0, "console.deleted", 0), (1210.0, "ledger.vanished", 0)),
        ),
    ),
    directed(
        "another account's model with our mark on the id that is wanted next",
        _acts((1200.0, "attempt", 0)),
        replace(_QUIET, strikes=((1000.0, "console.shared", 0),)),
    ),
    directed(
        "another account's model, which may not be read, on the id that is wanted next, and a spec removed",
        (*_acts((1200.0, "attempt", 0)), Act(1500.0, "remove", "keeper")),
        replace(_QUIET, strikes=((1000.0, "console.closed", 0),)),
    ),
    directed(
        "to be deleted as one controller sees it, and let go as another one saw it before",
        tuple(Act(at + 40.0 * n, what, one.name) for n, one in enumerate(_MANY) for at, what in _DOOMED_AND_REMOVED),
        replace(_QUIET, wishes=(*_MANY, KEEPER), controllers=2, service=replace(service_of(), distance=20.0)),
    ),
    directed(
        "a slow create, and another controller at work meanwhile",
        (Act(500.0, "add", "beta", 0), Act(600.0, "add", "gamma", 0)),
        replace(_QUIET, seed=3, controllers=2, service=replace(service_of(60.0), distance=10.0)),
        "create#1:create.hangs",
    ),
)

DIRECTED: tuple[Directed, ...] = (*_DECIDING, *DIRECTED_REVIEW)

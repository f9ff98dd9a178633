"""Planned situations on a code host, each the shortest in which a certain kind of bug of the review bites."""

from __future__ import annotations

from dataclasses import replace

from tests.simulation.directed_shape import ALPHA, DOOMED, KEEPER, LONG, Directed, directed, service_of
from tests.simulation.people import Act
from tests.simulation.shape import Shape
from tests.simulation.windows import Window

_HOSTED = Shape(
    seed=1,
    hosted=True,
    controllers=0,
    wishes=(ALPHA, KEEPER),
    service=service_of(),
    interval=150.0,
    grace=300.0,
    parsed_ledger=False,
    quiet_passes=2,
)
_GOING = replace(_HOSTED, wishes=(DOOMED, KEEPER), grace=6000.0)
_VERTEX = replace(_GOING, grace=300.0, stack="vertex", service=replace(service_of(), chooses_id=False))
_SLOW = replace(_HOSTED, service=service_of(LONG))
_START = 1500.0  # by then what the first commit asks for serves


def _one(
    name: str, *acts: tuple[float, str, str, int], shape: Shape = _HOSTED, faults: tuple[str, ...] = ()
) -> Directed:
    """``acts`` are (seconds after the start, what, name, to)."""
    return directed(name, tuple(Act(_START + at, what, who, to) for at, what, who, to in acts), shape, *faults)


def _early(name: str, *acts: tuple[float, str, str, int], shape: Shape = _HOSTED) -> Directed:
    """The same while the first runs still tune."""
    return directed(name, tuple(Act(500.0 + at, what, who, to) for at, what, who, to in acts), shape)


def _reviewed(
    what: str, way: str = "squash", at: float = 0.0, to: int = 1, name: str = "alpha"
) -> tuple[tuple[float, str, str, int], ...]:
    return (at, f"pull:{what}", name, to), (at + 100.0, f"merge-well:{way}", name, 0)


def _unreviewed(
    what: str, way: str = "squash", at: float = 0.0, to: int = 1, name: str = "alpha"
) -> tuple[tuple[float, str, str, int], ...]:
    return (at, f"pull:{what}", name, to), (at + 0.2, f"merge:{way}", name, 0)


_ORDERLY = replace(_HOSTED, orderly=True)
_WELL = tuple(
    _one(f"a reviewed {what}, by {way}", *_reviewed(what, way), shape=replace(_ORDERLY, wishes=(DOOMED, KEEPER)))
    for what, way in (
        ("epochs", "merge"),
        ("rows", "squash"),
        ("attempt", "rebase"),
        ("display", "squash"),
        ("remove", "merge"),
    )
)
_RACES = tuple(
    _one(f"merged while its plan is posted, {nth}", (0.0, "pull:epochs", "alpha", 1), (at, "merge:squash", "alpha", 0))
    for nth, at in enumerate((20.0, 20.2, 20.4, 20.5, 20.6, 20.7, 20.8, 20.9, 21.0))
)

DIRECTED_REVIEW: tuple[Directed, ...] = (
    *_WELL,
    _one(
        "a new run before its plan, and a direct commit on the same spec before anybody looked",
        *_unreviewed("epochs"),
        (0.4, "display", "alpha", 1),
    ),
    *(
        _one(
            f"reviewed, and a daemon whose mirror shows what was before, {seed}",
            *_reviewed("epochs"),
            shape=replace(
                _ORDERLY,
                seed=seed,
                controllers=1,
                interval=60.0,
                service=replace(service_of(), distance=20.0),
                shown=(Window(_START, 9000.0, 0),),
            ),
        )
        for seed in (39, 44, 48)
    ),
    _one("unreviewed words", *_unreviewed("display")),
    _one(
        "unreviewed words, and other inputs that tune meanwhile",
        *_reviewed("epochs"),
        *_unreviewed("display", at=400.0),
        shape=_HOSTED,
    ),
    _one("an unreviewed removal", *_unreviewed("remove"), shape=_GOING),
    _one(
        "an unreviewed commit is taken back and made again without a pull request",
        *_unreviewed("epochs"),
        (600.0, "epochs", "alpha", 0),
        (1200.0, "epochs", "alpha", 1),
    ),
    _one(
        "refused, and a daemon beside the jobs",
        *_unreviewed("epochs"),
        shape=replace(_HOSTED, controllers=1, blind=(Window(_START, _START + 400.0),)),
    ),
    _one(
        "a rebase merge of two commits, neither reviewed",
        (0.0, "pull:epochs", "alpha", 1),
        (0.1, "more:rows", "keeper", 1),
        (0.2, "merge:rebase", "alpha", 0),
    ),
    _one(
        "one more model is pushed after the plan, and merged at once",
        (0.0, "pull:epochs", "alpha", 1),
        (200.0, "more:rows", "keeper", 1),
        (200.2, "merge:squash", "alpha", 0),
    ),
    _one(
        "planned for another branch, and merged into the applied one",
        (0.0, "pull:epochs:next", "alpha", 1),
        (200.0, "retarget", "alpha", 0),
        (200.2, "merge:squash", "alpha", 0),
    ),
    _one(
        "ordered before it was merged, by a job that runs late",
        (0.0, "pull:epochs", "alpha", 1),
        (0.1, "say:ann:apply", "alpha", 0),
        (0.2, "merge:squash", "alpha", 0),
    ),
    _one("a stranger orders what was refused", *_unreviewed("epochs"), (400.0, "say:eve:apply", "alpha", 0)),
    _one(
        "an order that was taken away before its job ran",
        *_unreviewed("epochs"),
        (400.0, "say:ann:apply", "alpha", 0),
        (400.5, "comment:erase", "alpha", 0),
    ),
    _one(
        "an order, and an old job of it again after something else was refused",
        *_unreviewed("epochs"),
        (400.0, "say:ann:apply", "alpha", 0),
        *_unreviewed("rows", at=800.0),
        (1200.0, "again:command", "alpha", 0),
    ),
    _one(
        "an order on one pull request while another model is refused",
        *_unreviewed("epochs"),
        *_unreviewed("rows", at=200.0, name="keeper"),
        (600.0, "say:ann:apply", "alpha", 1),
    ),
    _one(
        "an order while something unreviewed has landed on top",
        *_unreviewed("epochs"),
        *_unreviewed("rows", at=200.0),
        (600.0, "say:ann:apply", "alpha", 1),
    ),
    _one(
        "a plan of one model while another is refused",
        *_unreviewed("rows", name="keeper"),
        *_reviewed("epochs", at=400.0),
    ),
    *(
        _one(
            f"reviewed and {answer}, something else and the same again, both unreviewed",
            *_reviewed("epochs"),
            *_unreviewed("rows", at=140.0),
            *_unreviewed("rows", at=600.0, to=0),
            faults=(f"create#3:create.{answer}",),
        )
        for answer in ("429", "dropped", "500-before")
    ),
    _one(
        "deleted as reviewed, and added again unreviewed",
        *_reviewed("remove"),
        *_unreviewed("add", at=1800.0, to=0),
        shape=_VERTEX,
    ),
    _one(
        "created as reviewed, deleted as reviewed, and added again unreviewed",
        *_reviewed("epochs"),
        *_reviewed("remove", at=1200.0),
        *_unreviewed("add", at=3200.0, to=1),
        shape=_VERTEX,
    ),
    _one(
        "removed as reviewed, back as reviewed, and removed again unreviewed",
        *_reviewed("remove"),
        *_reviewed("back", at=800.0),
        *_unreviewed("remove", at=1600.0),
        shape=_GOING,
    ),
    _early("other inputs while it tunes, unreviewed", *_unreviewed("epochs"), shape=_SLOW),
    _early("removed while it tunes, unreviewed", *_unreviewed("remove"), shape=_SLOW),
    _early(
        "cancelled by the word of another pull request",
        *_reviewed("epochs"),
        *_reviewed("display", at=300.0, name="keeper"),
        (700.0, "say:ann:cancel NAME", "alpha", 0),
        shape=_SLOW,
    ),
    _early(
        "cancelled by its own pull request, twice",
        *_reviewed("epochs"),
        (500.0, "say:ann:cancel NAME", "alpha", 0),
        (900.0, "again:command", "alpha", 0),
        shape=_SLOW,
    ),
    _early("cancelled by a stranger", *_reviewed("epochs"), (500.0, "say:eve:cancel NAME", "alpha", 0), shape=_SLOW),
    _one(
        "a deletion approved by the word of another pull request",
        *_reviewed("remove"),
        *_reviewed("display", at=300.0, name="keeper"),
        (800.0, "say:ann:approve-delete NAME", "alpha", 0),
        shape=_GOING,
    ),
    _one(
        "a deletion approved by its own pull request, and again",
        *_reviewed("remove"),
        (400.0, "say:ann:approve-delete NAME", "alpha", 0),
        (900.0, "again:command", "alpha", 0),
        shape=_GOING,
    ),
    _one(
        "a commit of no pull request where the policy asks for one",
        (0.0, "epochs", "alpha", 1),
        shape=replace(_HOSTED, require_review=True),
    ),
    _one(
        "refused, and removed before a run was paid for",
        *_unreviewed("add", name="beta"),
        *_reviewed("remove", at=400.0, name="beta"),
    ),
    _one(
        "ordered after it was removed, and ordered again",
        *_unreviewed("add", name="beta"),
        *_unreviewed("remove", at=0.5, name="beta"),
        (300.0, "say:ann:apply", "beta", 0),
        (700.0, "again:command", "beta", 0),
    ),
    _one(
        "an old job of a plan again",
        (0.0, "pull:epochs", "alpha", 1),
        (200.0, "more:rows", "alpha", 1),
        (400.0, "again:plan", "alpha", 1),
    ),
    _one(
        "a spec that a reviewed pull request broke, and that is removed unreviewed",
        *_reviewed("break", to=0),
        *_unreviewed("remove", at=600.0),
        shape=_GOING,
    ),
    _early("words that changed while it tuned, unreviewed", *_unreviewed("display", at=-0.0)),
    _one(
        "asked for without a pull request, something else, and the same again, where no money is left for it",
        (0.0, "rows", "keeper", 1),
        (700.0, "rows", "keeper", 0),
        shape=replace(
            _HOSTED,
            wishes=(replace(ALPHA, epochs=4), replace(KEEPER, epochs=4)),
            budget=0.0095,
            service=replace(service_of(), price=10.0),
        ),
    ),
    directed(
        "allowed where no money is left for it",
        (),
        replace(
            _HOSTED,
            wishes=(replace(ALPHA, epochs=4), replace(KEEPER, epochs=4)),
            require_review=True,
            budget=0.0095,
            service=replace(service_of(), price=10.0),
        ),
    ),
    *(
        _one(
            f"two jobs of one plan at once, {seed}",
            (0.0, "pull:epochs", "alpha", 1),
            shape=replace(_HOSTED, seed=seed),
            faults=("job#5:job.doubled", "job#6:job.doubled"),
        )
        for seed in (4, 28, 48)
    ),
    *_RACES,
)

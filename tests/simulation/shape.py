"""A seed to the shape of its run: which service, how many controllers and specs, which faults, how long."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tests.simulation.chance import Draw
from tests.simulation.faults import CATEGORIES, HOSTED, Schedule
from tests.simulation.people import Act, script
from tests.simulation.remote import Service
from tests.simulation.reviewers import hosted_script
from tests.simulation.windows import Window
from tests.simulation.wishes import Wish

NAMES = ("alpha", "beta", "gamma")


@dataclass(frozen=True, slots=True)
class Shape:
    """Everything that a run is made from; the same shape and seed give the same run.

    ``stack`` is http (the real client on a simulated transport), direct (the same provider without it) or vertex
    (a service that chooses ids). Times are in seconds.
    """

    seed: int
    stack: str = "direct"
    controllers: int = 1
    wishes: tuple[Wish, ...] = ()
    acts: tuple[Act, ...] = ()
    service: Service = field(default_factory=Service)
    schedule: Schedule = field(default_factory=Schedule)
    interval: float = 200.0
    safety: float = 2400.0
    mirror_lag: float = 0.0
    grace: float = 600.0
    budget: float | None = None
    reviewed: bool = False  # controllers apply approved plans only
    mend: bool = True  # broken specs are put right before the end
    whole_ledger: bool = False
    parsed_ledger: bool = True
    quiet_passes: int = 4
    crash_at: frozenset[tuple[int, str]] = frozenset()
    fail_at: int = 0
    shown: tuple[Window, ...] = ()  # when the mirror of controller 0 shows the commit of that number
    blind: tuple[Window, ...] = ()  # when controllers do not look at all
    strikes: tuple[tuple[float, str, int], ...] = ()  # (time, what a hand does, to which model, the oldest is 0)
    settle: float | None = None
    clocks: tuple[tuple[float, float, float], ...] = ()  # (from, to, seconds by which our own clock is ahead meanwhile)
    hosted: bool = False  # a code host starts jobs; controllers, if any, are daemons and terminals beside them
    orderly: bool = False  # people wait for plans, nothing fails: whatever is merged happens without a further word
    require_review: bool = False  # policy.requireReview: pullRequest


def shape_of(seed: int, only: frozenset[str] | None = None) -> Shape:
    """The swarm's draw for one seed."""
    draw = Draw(seed, "shape")
    stack = draw.one(("http", "http", "direct", "vertex"))
    names = NAMES[: draw.one((1, 2, 2, 3, 3))]
    safety = draw.between(1500.0, 3000.0)
    wishes = tuple(
        Wish(name, name, epochs=2 + draw.number(0, 2), delete=draw.chance(0.5), finish=draw.chance(0.15))
        for name in names
    )
    chosen = frozenset(one for one in CATEGORIES if draw.chance(0.6))
    budgeted = draw.chance(0.2)
    shape = Shape(
        seed=seed,
        stack=stack,
        controllers=draw.one((1, 1, 2, 2, 3)),
        wishes=wishes,
        acts=script(seed, names, safety * 0.9, draw.number(2, 7)),
        service=Service(
            chooses_id=stack != "vertex",
            lag=draw.one((0.0, 0.0, 30.0, 120.0, 300.0)),
            page=draw.one((1, 2, 3, 50)),
            quota=draw.one((1, 2, 1000, 1000)),
            shortest=60.0,
            longest=draw.one((200.0, 600.0, 1200.0)),
            price=10.0 if budgeted else 0.0,
            distance=draw.one((0.0, 0.0, 2.0, 15.0)),
            reserves=draw.chance(0.4),
        ),
        schedule=Schedule(chosen, draw.one((0.3, 1.0, 1.0, 2.0)), only),
        interval=draw.between(120.0, 500.0),
        safety=safety,
        mirror_lag=draw.one((0.0, 0.0, 60.0, 240.0)),
        grace=draw.one((100.0, 300.0, 900.0, 3600.0)),
        budget=draw.between(0.003, 0.03) if budgeted else None,
        reviewed=draw.chance(0.15),
        mend=draw.chance(0.8),
        whole_ledger=seed % 20 == 0,
        parsed_ledger=seed % 8 == 0,
        quiet_passes=100 if seed % 25 == 0 else 4,
    )
    shape = _unusual(shape)
    return _hosted(shape, names) if seed % HOST_EVERY == HOST_EVERY - 1 else shape


_DAYS = 2 * 86_400.0


def _unusual(shape: Shape) -> Shape:
    """The same at a service and on clocks that behave oddly; what is drawn for it moves nothing of the rest."""
    draw = Draw(shape.seed, "shape/unusual")

    def windows(often: float, most: int, longest: float) -> tuple[tuple[float, float], ...]:
        count = draw.number(1, most) if draw.chance(often) else 0
        starts = [draw.between(0.0, shape.safety) for _ in range(count)]
        return tuple((start, round(start + draw.between(20.0, longest), 3)) for start in sorted(starts))

    def jumps(often: float) -> tuple[tuple[float, float, float], ...]:
        return tuple((low, high, draw.between(-_DAYS, _DAYS)) for low, high in windows(often, 3, 600.0))

    service = replace(
        shape.service,
        folds=draw.chance(0.12),
        dates=jumps(0.15),
        mute=windows(0.12, 2, 900.0),
        unlisted=windows(0.12, 2, 600.0),
    )
    clocks = () if service.dates else jumps(0.15)  # of two clocks that are wrong at once, nothing can be told
    settle = draw.between(60.0, 600.0) if draw.chance(0.2) else None
    return replace(shape, service=service, clocks=clocks, settle=settle)


HOST_EVERY = 3  # of so many seeds one has a code host
_FEW = 10


def _hosted(shape: Shape, names: tuple[str, ...]) -> Shape:
    """The same with a code host; what is drawn for it moves nothing of the rest."""
    draw = Draw(shape.seed, "shape/host")
    orderly = draw.chance(0.2)
    families = frozenset(one for one in HOSTED if draw.chance(0.75))
    schedule = replace(shape.schedule, categories=shape.schedule.categories | families)
    end = shape.safety * 0.9
    direct = () if orderly else tuple(act for act in shape.acts if draw.chance(0.4))
    acts = (*direct, *hosted_script(shape.seed, names, end, orderly=orderly))
    if orderly:
        schedule = replace(schedule, categories=frozenset())
        service = replace(shape.service, dates=(), mute=(), unlisted=())
        shape = replace(shape, service=service, clocks=(), settle=None)
    return replace(
        shape,
        stack="direct" if shape.stack == "http" and draw.chance(0.7) else shape.stack,  # two looks a job: be quick
        quiet_passes=25 if shape.quiet_passes > _FEW else 2,
        hosted=True,
        orderly=orderly,
        controllers=draw.one((0, 0, 1)),
        acts=tuple(sorted(acts, key=lambda act: (act.at, act.key))),
        schedule=schedule,
        reviewed=False,
        require_review=draw.chance(0.2) and not orderly,
    )

"""A healed world to its end: at most five passes to agreement, then passes in which nothing is written."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from controller.engine.commands import forget_intent
from controller.engine.reconcile import Approval
from controller.errors import ControllerError
from controller.ports import Ports
from controller.review.memory import is_plan
from controller.state.observed import RemoteState
from controller.state.reasons import Reason
from controller.state.recorded import Record
from controller.state.reviews import Decision
from tests.simulation.controllers import Controller
from tests.simulation.events import Allowed, Person, Stands
from tests.simulation.forge import BOT
from tests.simulation.jobs import Task
from tests.simulation.lives import CURRENT
from tests.simulation.oracle import stalled
from tests.simulation.people import mended
from tests.simulation.wishes import Wish

if TYPE_CHECKING:
    from tests.simulation.world import World

PASSES = 5
# Longer than any run, any window of visibility and any grace of the runs here: after it nothing is still on its way.
LONG = 4000.0
_ONLY_JOBS = frozenset({"job.dropped", "job.late", "job.doubled", "job.again", "job.read-only"})
_ALL = frozenset({"behind", "empty", "creates", "delete:alpha", "delete:beta", "delete:gamma"})


async def settle(world: World) -> None:
    """Converge within five passes (L1), then stay quiet (L2). Guards are allowed by name, as a person would."""
    if world.shape.mend:
        mended(world.repository, world.loop.time())
    world.oracle.allows_all = True
    controller = Controller(9, world.outside)
    CURRENT.set(controller.life)
    ports = controller.ports(controller.life)
    allowed = _ALL | {f"delete:{name}" for name in world.place.records}
    await _ordered(world)
    for count in range(1, PASSES + 2):
        await asyncio.sleep(LONG)
        world.remote.tell_ends(world.loop.time())
        tip = world.place.tip
        await _job(world)
        done = await controller.one_pass(controller.life, ports, _approval(world, controller, allowed))
        if done is None or world.place.tip != tip:
            world.result.passes_to_settle = count
        if done is not None and _needs_a_person(done.records):
            await _resolve(world, done.records, ports)
            continue
        settled = done is not None and not faults_of(world) and world.place.tip == tip
        if settled or world.result.violations:
            break
    _stand(world)
    if not world.result.violations:  # else it was left off before it could settle
        for fault in faults_of(world):
            world.oracle.say("L1", fault)
    _one_comment(world)
    if not world.result.violations:
        await _quiet(world, controller, ports, allowed)
    controller.life.die("the end")


def _one_comment(world: World) -> None:
    """S12: a pull request has one comment of ours, unless a job was killed before it could see to that."""
    if world.forge is None or any(kind not in _ONLY_JOBS for kind in world.result.faults):
        return
    for number in world.forge.pulls:
        there = [r for r in world.forge.remarks.values() if r.pull == number and r.author == BOT and not r.gone]
        plans = [one for one in there if is_plan(one.memory)]
        if len(plans) > 1:
            world.oracle.say("S12", f"{len(plans)} comments of ours stand on pull request {number}")


async def _job(world: World) -> Mapping[str, str]:
    """An apply as the code host starts one; what it held for want of a review."""
    if world.jobs is None:
        return {}
    applied = await world.jobs.one(Task("apply"))
    return applied.unreviewed if applied is not None else {}


async def _ordered(world: World) -> None:
    """Somebody who may write orders what was refused, on the pull request that asked for it."""
    for name in await _job(world):
        number = world.oracle.reviews.asked_by(name, world.repository.head.revision)
        if number and world.jobs is not None and world.forge is not None:
            world.forge.may("ann", may=True)
            comment = world.forge.say(number, "ann", "/gitune apply")
            said = world.forge.remarks[comment]
            await world.jobs.one(Task("command", comment, author="ann", body=said.body, pinned=str(number)))


def _approval(world: World, controller: Controller, allowed: frozenset[str]) -> Approval:
    """What a person at a terminal lets pass: every guard, and whatever still is refused."""
    if world.jobs is None:
        return Approval(allow=allowed)
    records, head = world.place.records, world.repository.head
    names = frozenset({*head.wishes, *(name for name, r in records.items() if _is_refused(r))})
    world.log(Allowed(controller.life.label, tuple(sorted(names))))
    return Approval(allow=allowed | {f"review:{name}" for name in names}, by="ann")


def _is_refused(record: Record) -> bool:
    return any(review.verdict is Decision.REFUSED for review in record.reviews)


async def _quiet(world: World, controller: Controller, ports: Ports, allowed: frozenset[str]) -> None:
    world.oracle.quiet = True
    for count in range(world.shape.quiet_passes):
        await asyncio.sleep(world.shape.interval * (1.0 if count % 2 else 40.0))
        await controller.one_pass(controller.life, ports, Approval(allow=allowed))
        written = world.forge.written if world.forge is not None else 0
        await _job(world)
        if world.forge is not None and world.forge.written != written:
            world.oracle.say("L2", "a comment was written after everything had settled")
        if world.result.violations:
            return


def _needs_a_person(records: Mapping[str, Record]) -> bool:
    return any(stalled(record) is Reason.OUTCOME_UNKNOWN for record in records.values())


async def _resolve(world: World, records: Mapping[str, Record], ports: Ports) -> None:
    """A person looked at the provider: what was made shows by now, so an intent that still is open made nothing."""
    for name, record in records.items():
        if record.intent is not None and stalled(record) is Reason.OUTCOME_UNKNOWN:
            world.log(Person("forget --intent", name))
            try:
                await forget_intent(ports, name)
            except ControllerError as error:
                world.oracle.say("L1", f"forget --intent {name}: {error}")


def _stand(world: World) -> None:
    now = world.loop.time()
    for model in world.remote.alive(now):
        version = model.version(now)
        if version is not None:
            world.log(Stands(model.name, model.state(now), version.display, version.description, model.inputs))
    lines = [
        f"{model.name} {model.state(now)} {model.inputs.epochs} {model.inputs.rows}"
        for model in world.remote.alive(now)
    ]
    for name, record in world.place.records.items():
        slots = f"{record.active.model if record.active else '-'} {record.pending.model if record.pending else '-'}"
        lines.append(f"{name}: {slots} {stalled(record)} orphaned={record.orphaned}")
    world.result.end = tuple(sorted(lines))


def faults_of(world: World) -> list[str]:
    """What still keeps the world from what its HEAD asks for (L1, L4)."""
    head = world.repository.head
    found: list[str] = []
    for name, wish in head.wishes.items():
        if name not in head.broken and not any(name in other.former for other in head.wishes.values()):
            found += _unmet(world, wish)
    names = {name for wish in head.wishes.values() for name in (wish.name, *wish.former)}
    if not head.broken:
        found += [f for name, r in world.place.records.items() if name not in names for f in _left(world, r)]
        found += [f"{model} was paid for, and no record knows it" for model in world.oracle.forgotten()]
    return found


def _unmet(world: World, wish: Wish) -> list[str]:
    record = world.place.records.get(wish.name)
    if record is None:
        return [f"{wish.name} has no record"]
    if wish.suspend:
        return []
    reason = stalled(record)
    if reason is not None:
        return [] if _justified(world, wish, reason) else [f"{wish.name} is held: {reason}"]
    active = record.active
    model = world.remote.models.get(active.model) if active else None
    now = world.loop.time()
    version = model.version(now) if model else None
    if model is None or version is None or model.state(now) != "ACTIVE":
        return [f"{wish.name} is said to be ready and does not serve"]
    if model.inputs != wish.inputs:
        return [f"{wish.name} serves {model.inputs} and asks for {wish.inputs}"]
    if wish.display and version.display != wish.display:
        return [f"{wish.name} is called {version.display!r}, not {wish.display!r}"]
    if wish.description and world.shape.service.stored(wish.description) not in version.description:
        return [f"{wish.name} is described as {version.description!r}"]
    return []


def _justified(world: World, wish: Wish, reason: Reason) -> bool:
    """Whether the truth gives that reason: a run that ended badly, a hand in the console, a budget."""
    names = {wish.name, *wish.former}
    made = world.oracle.models.values()
    wanted = (wish.inputs, wish.attempt)
    mine = [m for m in made if m.key[1:] == wanted and (m.name in names or m.key[0] == wish.lineage)]
    hands = any(isinstance(event, Person) for _, event in world.result.trace)
    dropped = world.result.faults["run.dropped"] > 0  # paid for, and never seen to be there
    match reason:
        case Reason.RUN_FAILED | Reason.RUN_CANCELLED | Reason.DEADLINE_EXCEEDED:
            return any(m.truth in {"FAILED", "CANCELLED"} or m.stopped for m in mine)
        case Reason.LOST | Reason.DRIFTED | Reason.FOREIGN_MODEL:
            # Where a clock goes back, a deletion that was done is one that was not due: nothing is paid for on that.
            skewed = world.result.faults["clock.jump"] > 0 and any(m.deleted for m in mine)
            return any(m.by_hand for m in mine) or hands or dropped or skewed
        case Reason.ATTEMPT_LOWERED:
            # A lower attempt than one that was paid for pays for nothing.
            record = world.place.records.get(wish.name)
            beyond = dropped and record is not None and any(run.attempt > wish.attempt for run in record.runs)
            return beyond or any(m.key[1] == wish.inputs and m.attempt > wish.attempt and not m.deleted for m in made)
        case Reason.BUDGET_EXCEEDED:
            return world.shape.budget is not None
        case Reason.TREE_INCOMPLETE:
            # Who bears what it would take over may be in the file that nobody mends.
            records = world.place.records
            takes = any(name in records for name in wish.former) or any(
                wish.name in record.former_names for record in records.values()
            )
            return takes and bool(world.repository.head.broken)
        case _:
            return False


def _left(world: World, record: Record) -> list[str]:
    """What is wrong with a record whose spec is gone."""
    found: list[str] = []
    if record.pending is not None and record.pending.state == RemoteState.CREATING:
        model = world.remote.models.get(record.pending.model)
        if model is not None and model.state(world.loop.time()) == "CREATING":
            found.append(f"{record.pending.model} still tunes and nobody wants it")
    hands = any(isinstance(event, Person) for _, event in world.result.trace)
    if stalled(record) is Reason.DRIFTED and hands:
        return found  # a model whose mark a person took away is not deleted; a person forgets it
    if not record.orphaned:
        found.append(f"{record.name} has no spec and is not left: {stalled(record)}")
    return found

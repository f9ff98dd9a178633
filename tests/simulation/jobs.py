"""What a code host starts to jobs that run the review code as it is: late, twice, again, cut off, or never."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from controller.engine.reconcile import Approval, Pass, reconcile
from controller.errors import CodeHostError, ControllerError
from controller.plan.grants import NOT_ON_RECORD
from controller.ports import Opened, Ports
from controller.ports.code_host import Pull
from controller.review import applying, fork_plan
from controller.review.applying import Applied, Applying, apply
from controller.review.commands import Spoken, obey, parse_verb
from controller.review.grants import ApplyOrder
from controller.review.planning import CHECK, Planned, Reviewed, is_current, plan_pull, show
from controller.review.story import tell
from controller.settings import Settings
from tests.simulation.chance import Draw
from tests.simulation.code_host import SimHost
from tests.simulation.controllers import Outside, ports_of, settings_of, told_of
from tests.simulation.events import JobBegan, JobEnded, Obeyed, PassBegan, PassEnded
from tests.simulation.forge import MAIN, Forge, Hook
from tests.simulation.lives import CURRENT, Crash, Incarnation
from tests.simulation.repository import Mirror

_MOST = 120  # jobs of one run
_LIMIT = 5000.0  # seconds after which a job is cut off by its host


@dataclass(frozen=True, slots=True)
class Task:
    """One job as its event told of it. ``pinned`` and ``base`` are the commits a plan is for, ``head`` the event's."""

    kind: str
    number: int = 0
    head: str = ""
    branch: str = MAIN
    pinned: str = ""
    base: str = ""
    author: str = ""
    body: str = field(default="", repr=False)
    fork: bool = False


class Jobs:
    """Every job of a run. ``after`` hears of each that ended by itself."""

    def __init__(self, outside: Outside, forge: Forge) -> None:
        self._out = outside
        self._forge = forge
        self._settings = settings_of(outside.shape)
        self._draw = Draw(outside.shape.seed, "jobs")
        self.past: list[Task] = []
        self.lives: list[Incarnation] = []
        self.running: set[asyncio.Task[Any]] = set()
        self._born = 0
        self.stop = False
        forge.wake = self.wake

    def wake(self, hook: Hook) -> None:
        """An event: a job is started for it, unless the host forgets, and not always at once, nor once."""
        task = self._task(hook)
        if task is None or self.stop:
            return
        fault = self._out.faults.pick("job")
        self.past.append(task)
        if fault == "job.dropped":
            return
        delay = self._draw.between(1.0, 20.0)
        delay += self._draw.between(60.0, 1500.0) if fault == "job.late" else 0.0
        self.start(task, delay, cut=fault == "job.cut", read_only=task.fork or fault == "job.read-only")
        if fault == "job.doubled":
            self.start(task, delay + self._draw.between(0.0, 5.0))
        if fault == "job.again":
            self.start(task, delay + self._draw.between(100.0, 2500.0))

    def _task(self, hook: Hook) -> Task | None:
        if hook.kind == "apply":
            return Task("apply")
        if hook.kind == "command":
            said = self._forge.remarks[hook.number]
            return Task("command", hook.number, author=said.author, body=said.body, pinned=str(said.pull))
        pull = self._forge.pulls[hook.number]
        prepared = self._forge.prepared(hook.number)
        if prepared is None:
            return None  # a host starts no job where there is a conflict
        base = prepared.parent
        return Task("plan", hook.number, pull.head, pull.branch, prepared.revision, base, fork=pull.fork)

    def start(self, task: Task, delay: float, *, cut: bool = False, read_only: bool = False) -> None:
        """One run of a job."""
        self._born += 1
        if self._born > _MOST:
            return
        life = Incarnation(f"{task.kind}{self._born}", self._out.faults, self._out.effects, self._out.log)
        self.lives.append(life)
        host = SimHost(
            self._forge, life, self._out.faults, Draw(self._out.shape.seed, f"host/{life.label}"), read_only=read_only
        )
        job = _Job(life, host, self._out, self._forge, self._settings)
        life.task = asyncio.get_running_loop().create_task(job.run(task, delay))
        self.running.add(life.task)
        life.task.add_done_callback(self.running.discard)
        limit = delay + (self._draw.between(0.2, 12.0) if cut else _LIMIT)
        asyncio.get_running_loop().call_later(limit, _cut, life)

    async def one(self, task: Task) -> Applied | None:
        """A job that runs here and now, for the end of a run; what its pass came to."""
        self._born += 1
        life = Incarnation(f"{task.kind}{self._born}", self._out.faults, self._out.effects, self._out.log)
        host = SimHost(self._forge, life, self._out.faults, Draw(self._out.shape.seed, f"host/{life.label}"))
        job = _Job(life, host, self._out, self._forge, self._settings)
        token = CURRENT.set(life)
        try:
            await job.done(task)
        finally:
            CURRENT.reset(token)
        life.die("the end")
        return job.applied


def _cut(life: Incarnation) -> None:
    if life.alive:
        life.kill("cut off")


class _Job:
    """One run of one job."""

    def __init__(self, life: Incarnation, host: SimHost, outside: Outside, forge: Forge, settings: Settings) -> None:
        self._life = life
        self.host = host
        self._out = outside
        self._forge = forge
        self._settings = settings
        self.applied: Applied | None = None

    async def run(self, task: Task, delay: float) -> None:
        """Wait for a runner, then do it."""
        CURRENT.set(self._life)
        try:
            await asyncio.sleep(delay)
            self._life.touch("job")
            await self.done(task)
        except (Crash, asyncio.CancelledError):
            self._life.die("unwound")
        else:
            self._life.die("ended")

    async def done(self, task: Task) -> None:
        """Do it, and log how it came out."""
        work = {"plan": self._plan, "apply": self._apply, "command": self._command}[task.kind]
        log, label = self._out.log, self._life.label
        try:
            await work(task)
        except ControllerError as error:
            log(JobEnded(label, f"{type(error).__name__}: {error.message}"[:200]))
        except Exception as error:  # noqa: BLE001 - whatever else the product raises is a finding
            log(JobEnded(label, f"!{type(error).__name__}: {error}"[:300]))
        else:
            held = self._unreviewed()
            told = tuple((name, why) for name, why in held.items() if why != NOT_ON_RECORD)
            log(JobEnded(label, unreviewed=told, untold=tuple(sorted(held.keys() - dict(told).keys()))))

    def _unreviewed(self) -> Mapping[str, str]:
        """What was held for want of a review; not what waits since nobody could be asked."""
        applied = self.applied
        return applied.unreviewed if applied is not None and applied.failure is None else {}

    def opened(self, revision: str) -> Opened:
        """Ports at one commit, as a job checks it out."""
        ports: Ports = ports_of(self._out, self._life, Mirror(fixed=revision))
        return Opened(ports, self._settings)

    async def _plan(self, task: Task) -> None:
        """As the step of a workflow does: what the token may do decides how it is planned, and whether it is shown."""
        self._out.log(_began(self._life.label, task, task.pinned, task.number))
        if not await is_current(self.host, task.number, task.head, task.branch):
            return
        begun = await self.host.begin(CHECK, task.head)
        planned = await self.planned(task, offline=not begun)
        if begun:
            await show(self.host, task.number, planned)
        elif task.fork:
            await self._post_for_a_fork(task, planned)

    async def planned(self, task: Task, *, offline: bool) -> Planned:
        """The plan of a pull request."""
        reviewed = Reviewed(
            commit=task.pinned, base=task.base, head=task.head, branch=task.branch, applied=MAIN, offline=offline
        )
        return await plan_pull(self.opened(task.base), reviewed)

    async def _post_for_a_fork(self, task: Task, planned: Planned) -> None:
        """Another workflow, whose token may write, posts what a fork's job wrote."""
        box: Any = _Box()
        fork_plan.write(box, task.number, planned)
        life = Incarnation(f"{self._life.label}.posts", self._out.faults, self._out.effects, self._out.log)
        host = SimHost(self._forge, life, self._out.faults, Draw(self._out.shape.seed, f"host/{life.label}"))
        await fork_plan.post(host, box, fork_plan.EndedRun(task.head, "fork/models"))

    async def _apply(self, task: Task) -> None:
        tip = await self._tip()
        self._out.log(_began(self._life.label, task, tip))
        await self.pass_over(Applying(MAIN, tip))

    async def _tip(self) -> str:
        try:
            return await self.host.tip(MAIN)
        except CodeHostError:
            return self._forge.tip(MAIN)  # what the clone knows

    async def pass_over(self, what: Applying) -> None:
        """The pass, and the comments."""
        opened = self.opened(what.revision)
        self.applied = await apply(self.host, opened, what)
        if what.order is not None and (self.applied.done is not None or self.applied.refusal is not None):
            self._out.log(Obeyed(self._life.label, what.order.comment))
        await tell(self.host, opened, what, self.applied)
        if self.applied.failure is not None:
            raise self.applied.failure

    async def _command(self, task: Task) -> None:
        tip = await self._tip()
        words = (parse_verb(task.body) and task.body.split()[1:]) or ["help"]
        about = words[1] if len(words) > 1 else ""
        pull = int(task.pinned)
        began = JobBegan(
            self._life.label, "command", tip, pull, comment=task.number, author=task.author, verb=words[0], about=about
        )
        self._out.log(began)
        await obey(self.host, Spoken(task.number, pull, task.author, task.body), _Work(self, tip, task))


def _began(label: str, task: Task, revision: str, pull: int = 0) -> JobBegan:
    return JobBegan(label, task.kind, revision, pull, task.head, task.branch)


class _Work:
    """What a comment may set in motion in its job."""

    def __init__(self, job: _Job, tip: str, task: Task) -> None:
        self._job = job
        self._tip = tip
        self._task = task

    @property
    def branch(self) -> str:
        """The branch that is applied."""
        return MAIN

    @property
    def revision(self) -> str:
        """Its tip."""
        return self._tip

    async def plan(self, pull: Pull) -> None:
        """Plan a pull request at its head beside the tip of its base branch."""
        base = self._tip if pull.base_branch == MAIN else pull.base
        task = Task("plan", pull.number, pull.head, pull.base_branch, pull.head, base)
        self._job._out.log(_began(self._job._life.label, task, pull.head, pull.number))
        planned = await self._job.planned(task, offline=False)
        if not await show(self._job.host, pull.number, planned):
            raise ControllerError("the pull request was pushed to meanwhile")

    async def apply(self, order: ApplyOrder) -> bool:
        """Apply on a person's order."""
        await self._job.pass_over(Applying(MAIN, self._tip, order))
        return True

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Opened]:
        """Ports at the tip."""
        yield self._job.opened(self._tip)


class _Box:
    """A file in memory."""

    def __init__(self) -> None:
        self._data = b""

    def write_bytes(self, data: bytes) -> None:
        """Keep it."""
        self._data = data

    def open(self, mode: str) -> BytesIO:
        """Give it back."""
        del mode
        return BytesIO(self._data)


def _logged(real: Callable[..., Awaitable[Pass]]) -> Any:
    """The pass of an apply job, with its beginning and end in the log; one outside of a world is as it was."""

    async def passing(ports: Ports, settings: Settings, approval: Approval) -> Pass:
        life = CURRENT.get()
        if life is None:
            return await real(ports, settings, approval)
        life.passes, life.looks = life.passes + 1, 0
        life.log(PassBegan(life.label, life.passes))
        try:
            done = await real(ports, settings, approval)
        except ControllerError as error:
            life.log(PassEnded(life.label, life.passes, (), f"{type(error).__name__}: {error.message}"[:200]))
            raise
        life.log(PassEnded(life.label, life.passes, tuple(told_of(outcome.action) for outcome in done.outcomes)))
        return done

    return passing


_room: Any = applying
_room.reconcile = _logged(reconcile)

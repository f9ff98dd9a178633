"""A provider to the same provider with a gate before it: fenced, spared after failures, and counted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from controller.daemon.fence import Fence
from controller.daemon.metrics import Metrics
from controller.daemon.schedule import Rhythm, backoff
from controller.errors import OutcomeUnknown, ProviderError, Rejected, Transient
from controller.ports import Capabilities, Chance, Clock, CreateRequest, Finding, InPlace, Provider, Want
from controller.state.observed import ObservedProvider, RemoteModel

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Doors:
    """What a gate is made of. The fence is the pass's own, the rest lasts."""

    fence: Fence
    metrics: Metrics
    clock: Clock
    chance: Chance
    rhythm: Rhythm


@dataclass(frozen=True, slots=True)
class _Failed:
    """The last failure of one operation on one model, how many there were in a row, and when it may be tried again."""

    error: Transient
    times: int
    due: float


class Spared:
    """What failed lately, by operation and model: it waits by itself, and holds nobody else up."""

    def __init__(self) -> None:
        self._failed: dict[str, _Failed] = {}

    def due(self, now: float) -> float | None:
        """When the next of them may be tried (monotonic seconds); None where nothing waits."""
        return min((one.due for one in self._failed.values() if one.due > now), default=None)

    def refuse(self, key: str, now: float) -> None:
        """Raises the error of last time where it is too early to ask again."""
        one = self._failed.get(key)
        if one is not None and now < one.due:
            error = one.error
            raise Transient(
                error.message, hint=error.hint, provider=error.provider, retry_after=one.due - now, quota=error.quota
            )

    def fail(self, key: str, error: Transient, now: float, wait: Callable[[int], float]) -> None:
        """It failed once more; the provider's own word on when to come back counts where it is later."""
        known = self._failed.get(key)
        times = known.times + 1 if known else 1
        self._failed[key] = _Failed(error, times, now + max(wait(times), error.retry_after or 0.0))

    def succeed(self, key: str) -> None:
        """It went well: forgotten."""
        self._failed.pop(key, None)


class Gate:
    """One provider behind its gate. Reading passes; what changes something is checked first."""

    def __init__(self, provider: Provider, doors: Doors, spared: Spared) -> None:
        self._provider = provider
        self._doors = doors
        self._spared = spared

    @property
    def key(self) -> str:
        """Its key in gitune.yaml."""
        return self._provider.key

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        return self._provider.capabilities

    async def observe(self, want: Want) -> ObservedProvider:
        """All its models; counted as failed where they were not read whole."""
        seen = await self._provider.observe(want)
        self._doors.metrics.asked(self.key, "observe", "success" if seen.complete and not seen.error else "failed")
        return seen

    async def create(self, request: CreateRequest) -> RemoteModel:
        """Fenced, spared and counted. A model whose id is the provider's to choose is known by its description."""
        made = await self._gated("create", request.model or request.description, lambda: self._provider.create(request))
        self._doors.metrics.created(self.key)
        return made

    async def update(self, model: str, change: InPlace) -> RemoteModel:
        """Fenced, spared and counted."""
        return await self._gated("update", model, lambda: self._provider.update(model, change))

    async def cancel(self, model: str, operation: str) -> None:
        """Fenced, spared and counted."""
        await self._gated("cancel", model, lambda: self._provider.cancel(model, operation))

    async def delete(self, model: str) -> None:
        """Fenced, spared and counted."""
        await self._gated("delete", model, lambda: self._provider.delete(model))

    async def generate(self, model: str, prompt: str) -> str:
        """Counted."""
        return await self._counted("generate", lambda: self._provider.generate(model, prompt))

    async def check(self) -> tuple[Finding, ...]:
        """As it is."""
        return await self._provider.check()

    async def close(self) -> None:
        """As it is."""
        await self._provider.close()

    async def _gated(self, operation: str, model: str, ask: Callable[[], Awaitable[T]]) -> T:
        doors, key = self._doors, f"{self.key} {operation} {model}"
        self._spared.refuse(key, doors.clock.monotonic())
        await doors.fence.check()
        try:
            answer = await self._counted(operation, ask)
        except Transient as error:
            self._spared.fail(key, error, doors.clock.monotonic(), self._wait)
            raise
        self._spared.succeed(key)
        return answer

    def _wait(self, times: int) -> float:
        return backoff(times, self._doors.rhythm, self._doors.chance.uniform(0.0, 1.0))

    async def _counted(self, operation: str, ask: Callable[[], Awaitable[T]]) -> T:
        outcome = "success"
        try:
            return await ask()
        except ProviderError as error:
            outcome = _outcome(error)
            raise
        finally:
            self._doors.metrics.asked(self.key, operation, outcome)


def _outcome(error: ProviderError) -> str:
    match error:
        case OutcomeUnknown():
            return "unknown"
        case Rejected():
            return "rejected"
        case Transient() if error.quota:
            return "rate_limited"
        case _:
            return "failed"


_: type[Provider] = Gate  # mypy holds that a gate is a provider

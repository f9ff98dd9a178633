"""A provider to the same provider behind a guard: fenced, left alone for a while after failures, and counted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from controller.daemon.lease import Fence
from controller.daemon.metrics import Metrics
from controller.daemon.schedule import Rhythm, backoff
from controller.errors import OutcomeUnknown, ProviderError, Rejected, Transient
from controller.ports import (
    Chance,
    CheckResult,
    Clock,
    CreateRequest,
    ModelAnswer,
    ModelPatch,
    ObserveRequest,
    Provider,
)
from controller.state.observed import ObservedProvider, RemoteModel

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Failed:
    """The last failure of one operation on one model, how many there were in a row, and when it may be tried again."""

    error: ProviderError
    times: int
    due: float


class RecentFailures:
    """What failed lately, by operation and model: it waits by itself, and holds nobody else up."""

    def __init__(self, clock: Clock, chance: Chance, rhythm: Rhythm) -> None:
        self._clock, self._chance, self._rhythm = clock, chance, rhythm
        self._failed: dict[str, _Failed] = {}

    def due(self) -> float | None:
        """When the next of them may be tried (monotonic seconds); None where nothing waits."""
        now = self._clock.monotonic()
        return min((one.due for one in self._failed.values() if one.due > now), default=None)

    def refuse(self, key: str) -> None:
        """Raises the error of last time where it is too early to ask again."""
        one, now = self._failed.get(key), self._clock.monotonic()
        if one is not None and now < one.due:
            error = one.error
            if not isinstance(error, Transient):
                raise error.with_traceback(None)
            raise Transient(
                error.message, hint=error.hint, provider=error.provider, retry_after=one.due - now, quota=error.quota
            )

    def fail(self, key: str, error: ProviderError) -> None:
        """It failed once more; the provider's own word on when to come back counts where it is later."""
        known = self._failed.get(key)
        times = known.times + 1 if known else 1
        wait = backoff(times, self._rhythm, self._chance.uniform(0.0, 1.0))
        asked = error.retry_after or 0.0 if isinstance(error, Transient) else 0.0
        due = self._clock.monotonic() + max(wait, asked)
        self._failed[key] = _Failed(error, times, due)

    def succeed(self, key: str) -> None:
        """It went well: forgotten."""
        self._failed.pop(key, None)


class ProviderGuard:
    """One provider behind its guard. Reading passes; what changes something is checked first."""

    def __init__(self, provider: Provider, fence: Fence, metrics: Metrics, failures: RecentFailures) -> None:
        """The fence is the pass's own, the rest lasts."""
        self.key = provider.key
        self.facts = provider.facts
        self._provider = provider
        self._fence = fence
        self._metrics = metrics
        self._failures = failures

    async def observe(self, want: ObserveRequest) -> ObservedProvider:
        """All its models; counted as failed where they were not read whole."""
        seen = await self._provider.observe(want)
        self._metrics.asked(self.key, "observe", "success" if seen.complete and not seen.error else "failed")
        return seen

    async def create(self, request: CreateRequest) -> RemoteModel:
        """Fenced, delayed after failures, and counted. An id that the provider chooses is not known yet."""
        return await self._guarded(
            "create", request.model or request.description, lambda: self._provider.create(request)
        )

    async def update(self, model: str, change: ModelPatch) -> RemoteModel:
        """Fenced, delayed after failures, and counted."""
        return await self._guarded("update", model, lambda: self._provider.update(model, change))

    async def cancel(self, model: str, operation: str) -> None:
        """Fenced, delayed after failures, and counted."""
        await self._guarded("cancel", model, lambda: self._provider.cancel(model, operation))

    async def delete(self, model: str) -> None:
        """Fenced, delayed after failures, and counted."""
        await self._guarded("delete", model, lambda: self._provider.delete(model))

    async def generate(self, model: str, prompt: str) -> ModelAnswer:
        """Counted."""
        return await self._counted("generate", lambda: self._provider.generate(model, prompt))

    async def check(self) -> tuple[CheckResult, ...]:
        """As it is."""
        return await self._provider.check()

    async def close(self) -> None:
        """As it is."""
        await self._provider.close()

    async def _guarded(self, operation: str, model: str, ask: Callable[[], Awaitable[T]]) -> T:
        key = f"{self.key} {operation} {model}"
        self._failures.refuse(key)
        await self._fence.check()
        try:
            answer = await self._counted(operation, ask)
        except Transient as error:
            self._failures.fail(key, error)
            raise
        self._failures.succeed(key)
        return answer

    async def _counted(self, operation: str, ask: Callable[[], Awaitable[T]]) -> T:
        outcome = "success"
        try:
            return await ask()
        except ProviderError as error:
            outcome = _outcome(error)
            raise
        finally:
            self._metrics.asked(self.key, operation, outcome)


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


_: type[Provider] = ProviderGuard  # mypy holds that a guard is a provider

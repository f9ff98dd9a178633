"""The error that keeps a provider from being opened to a provider that answers every call with it."""

from __future__ import annotations

from typing import NoReturn

from controller.errors import Rejected
from controller.ports import CheckResult, Facts, ObserveRequest
from controller.state.observed import ObservedProvider


class Unusable:
    """A provider without a key or with a bad endpoint: its own specs are held, the plan of the others goes on."""

    def __init__(self, key: str, error: Rejected, facts: Facts) -> None:
        self.key = key
        self.facts = facts
        self._error = error

    async def observe(self, want: ObserveRequest) -> ObservedProvider:  # noqa: ARG002 - nothing was seen, whatever was wanted
        """Nothing, incompletely, and why."""
        return ObservedProvider(key=self.key, complete=False, error=self._error.message, hint=self._error.hint)

    async def _refuse(self, *_: object, **__: object) -> NoReturn:
        """Raises the error."""
        raise Rejected(self._error.message, kind=self._error.kind, hint=self._error.hint, provider=self.key)

    create = update = cancel = delete = generate = _refuse

    async def check(self) -> tuple[CheckResult, ...]:
        """The error, with its fix."""
        return (CheckResult(f"{self.key}: usable", well=False, message=self._error.message, fix=self._error.hint),)

    async def close(self) -> None:
        """Nothing to let go of."""

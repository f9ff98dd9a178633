"""The error that keeps a provider from being opened to a provider that answers every call with it."""

from __future__ import annotations

from typing import NoReturn

from controller.errors import Rejected
from controller.ports import Capabilities, CheckResult, CreateRequest, ModelPatch, ObserveRequest
from controller.state.observed import ObservedProvider, RemoteModel


class Unusable:
    """A provider without a key or with a bad endpoint: its own specs are held, the plan of the others goes on."""

    def __init__(self, key: str, error: Rejected, capabilities: Capabilities) -> None:
        self._key = key
        self._error = error
        self._capabilities = capabilities

    @property
    def key(self) -> str:
        """Its key in gitune.yaml."""
        return self._key

    @property
    def capabilities(self) -> Capabilities:
        """What it could do."""
        return self._capabilities

    async def observe(self, want: ObserveRequest) -> ObservedProvider:  # noqa: ARG002 - nothing was seen, whatever was wanted
        """Nothing, incompletely, and why."""
        return ObservedProvider(key=self._key, complete=False, error=self._error.message, hint=self._error.hint)

    async def create(self, request: CreateRequest) -> RemoteModel:  # noqa: ARG002
        """Raises the error."""
        self._refuse()

    async def update(self, model: str, change: ModelPatch) -> RemoteModel:  # noqa: ARG002
        """Raises the error."""
        self._refuse()

    async def cancel(self, model: str, operation: str) -> None:  # noqa: ARG002
        """Raises the error."""
        self._refuse()

    async def delete(self, model: str) -> None:  # noqa: ARG002
        """Raises the error."""
        self._refuse()

    async def generate(self, model: str, prompt: str) -> str:  # noqa: ARG002
        """Raises the error."""
        self._refuse()

    async def check(self) -> tuple[CheckResult, ...]:
        """The error, with its fix."""
        return (CheckResult(f"{self._key}: usable", well=False, message=self._error.message, fix=self._error.hint),)

    async def close(self) -> None:
        """Nothing to let go of."""

    def _refuse(self) -> NoReturn:
        raise Rejected(self._error.message, kind=self._error.kind, hint=self._error.hint, provider=self._key)

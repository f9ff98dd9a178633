"""A Ledger in memory, with the same compare-and-swap as the real ones."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from controller.errors import ControllerError, RevisionConflict
from controller.ledger.rendering import bounded
from controller.state.recorded import Record, Recorded


class MemoryLedger:
    """Keeps every version. ``messages`` lists one line per write, so a test can count writes."""

    def __init__(self, records: Mapping[str, Record] | None = None) -> None:
        self._versions: list[Mapping[str, Record]] = [MappingProxyType(dict(records or {}))]
        self._tip: str | None = "1" if records else None
        self._failures: dict[str, ControllerError] = {}
        self.messages: list[str] = []

    @property
    def records(self) -> Mapping[str, Record]:
        """What is recorded now."""
        return self._versions[int(self._tip) - 1] if self._tip else MappingProxyType({})

    @property
    def versions(self) -> tuple[Mapping[str, Record], ...]:
        """Everything that was ever written, oldest first."""
        return tuple(self._versions)

    @property
    def version(self) -> str | None:
        """The number of the version that stands, from 1; None where there is none."""
        return self._tip

    def reset(self, version: str | None) -> None:
        """Put it back to a version, or to none at all, as a forced push or a deleted ref does."""
        self._tip = version

    def fail(self, operation: str, error: ControllerError) -> None:
        """Let the next ``check``, ``tip``, ``load`` or ``save`` raise this instead of being carried out."""
        self._failures[operation] = error

    async def check(self) -> None:
        """What is kept in memory can be written."""
        self._stumble("check")

    async def tip(self) -> str | None:
        """The number of the version that stands."""
        self._stumble("tip")
        return self._tip

    async def load(self) -> Recorded:
        """What was last written, and its tip."""
        self._stumble("load")
        return Recorded(self.records, self._tip)

    async def save(self, records: Mapping[str, Record], tip: str | None, message: str) -> str | None:
        """Write on top of ``tip``. Raises `RevisionConflict` where it is not the newest."""
        self._stumble("save")
        if tip != self._tip:
            raise RevisionConflict(f"the ledger is at {self._tip}, not at {tip}", hint="Read it again.")
        if {name: bounded(record) for name, record in records.items()} != dict(self.records):
            self._versions.append(MappingProxyType({name: bounded(record) for name, record in records.items()}))
            self._tip = str(len(self._versions))
            self.messages.append(message)
        return self._tip

    def _stumble(self, operation: str) -> None:
        if error := self._failures.pop(operation, None):
            raise error

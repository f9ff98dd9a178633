"""A ledger to the same ledger, with a span around each writing."""

from __future__ import annotations

from collections.abc import Mapping

from controller.ports import Ledger
from controller.spans import span
from controller.state.recorded import Record, Recorded


class TimedLedger:
    """Reading is part of the look; writing is told by itself."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def tip(self) -> str | None:
        """As it is."""
        return await self._ledger.tip()

    async def load(self) -> Recorded:
        """As it is."""
        return await self._ledger.load()

    async def save(self, records: Mapping[str, Record], tip: str | None, message: str) -> str | None:
        """Timed; told is whether anything was written."""
        with span("ledger.save", records=len(records)) as told:
            new = await self._ledger.save(records, tip, message)
            told.tell(written=new != tip)
        return new


_: type[Ledger] = TimedLedger  # mypy holds that this is a ledger

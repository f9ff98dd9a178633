"""Records to ledger files under compare-and-swap in one simulated place, and back through the real codec."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from controller.errors import LedgerError, RevisionConflict
from controller.ledger.codec import read_status, status_file, status_path
from controller.ledger.rendering import bounded, render
from controller.state.recorded import Record, Recorded
from tests.simulation.events import Event, Saved
from tests.simulation.faults import Faults
from tests.simulation.lives import Incarnation
from tests.simulation.network import KEY
from tests.simulation.wishes import CANARY

_CANARIES = (KEY.encode(), CANARY.encode())


@dataclass(frozen=True, slots=True)
class Held:
    """One version of the ledger: its files as bytes, and what they say."""

    tip: str
    files: Mapping[str, bytes]
    records: Mapping[str, Record]


@dataclass
class Place:
    """The ref on the forge, with all that it ever was."""

    log: Callable[[Event], None]
    whole: bool = False  # write every file, tables and pictures too
    parsed: bool = True  # read every file back through the YAML door (slow); else only written, and known by its bytes
    distance: float = 0.0  # seconds to get there
    written: dict[str, tuple[Record, bytes]] = field(default_factory=dict)  # the last status of each name
    rendered: tuple[Mapping[str, Record], Mapping[str, bytes]] = field(default_factory=lambda: ({}, {}))
    versions: list[Held] = field(default_factory=list)
    now: Held | None = None

    @property
    def tip(self) -> str | None:
        """What the ref points to."""
        return self.now.tip if self.now else None

    @property
    def records(self) -> Mapping[str, Record]:
        """What is recorded."""
        return self.now.records if self.now else {}

    def swap(self, by: str, files: Mapping[str, bytes], records: Mapping[str, Record], message: str) -> str | None:
        """Write a version; the caller has compared. Nothing is written where nothing differs."""
        held = self.now.files if self.now else {}
        base = self.tip or ""
        if dict(files) == dict(held):
            self.log(Saved(by, base, base, same=True, message=message))
            return self.tip
        label = f"{base}/{len(self.versions)}/{sorted(files.items())!r}"
        tip = hashlib.sha1(label.encode(), usedforsecurity=False).hexdigest()
        written = {name: bounded(records[name]) for name in sorted(records)}
        self.now = Held(tip, files, decoded(files) if self.parsed else written)
        self.versions.append(self.now)
        leaks = ", ".join(path for path, data in files.items() if any(canary in data for canary in _CANARIES))
        self.log(Saved(by, tip, base, same=False, message=message, leaks=leaks, records=self.now.records))
        return tip

    def vanish(self) -> None:
        """Somebody deleted the ref."""
        self.now = None

    def roll_back(self, by: int) -> None:
        """Somebody forced the ref to an older version."""
        if len(self.versions) > by:
            self.now = self.versions[-1 - by]

    def encoded(self, records: Mapping[str, Record]) -> dict[str, bytes]:
        """The ledger's files: all of them, or (faster) the status files alone."""
        if self.whole:
            if self.rendered[0] != records or not records:
                self.rendered = (dict(records), render(records))
            return dict(self.rendered[1])
        return {status_path(name): self._status(records[name]) for name in sorted(records)}

    def _status(self, record: Record) -> bytes:
        known = self.written.get(record.name)
        if known is None or known[0] != record:
            known = self.written[record.name] = (record, status_file(bounded(record)))
        return known[1]


def decoded(files: Mapping[str, bytes]) -> dict[str, Record]:
    """Files back to records."""
    read = [read_status(path, data) for path, data in files.items() if path.startswith("status/")]
    return {record.name: record for record in read}


class SimLedger:
    """A controller's door to the place."""

    def __init__(self, place: Place, life: Incarnation, faults: Faults) -> None:
        self._place = place
        self._life = life
        self._faults = faults

    async def check(self) -> None:
        """What would refuse a push does not show before."""

    async def tip(self) -> str | None:
        """What the ref points to."""
        self._life.touch("tip")
        return self._place.tip

    async def load(self) -> Recorded:
        """What is recorded. Raises `LedgerError`."""
        self._life.touch("load")
        await asyncio.sleep(self._place.distance + 0.05)
        self._life.touch("load")
        if self._faults.pick("ledger.load"):
            raise LedgerError("the ledger cannot be fetched")
        return Recorded(dict(self._place.records), self._place.tip)

    async def save(self, records: Mapping[str, Record], tip: str | None, message: str) -> str | None:
        """Compare and swap. Raises `RevisionConflict`, `LedgerError`."""
        life = self._life
        life.touch("save", writes=True)
        begun = bool(records) or self._place.tip is not None  # a table of nothing begins no history
        files = self._place.encoded(records) if begun else {}
        held = self._place.now.files if self._place.now else {}
        number = life.effects.begin("save") if dict(files) != dict(held) else 0
        if life.effect(number, "before"):
            raise life.crash("before a save")
        fault = self._faults.pick("ledger.save")
        if life.effects.fails(number):
            fault = "ledger.refused"
        await asyncio.sleep(self._place.distance + 0.1)
        life.touch("save", writes=True)
        if fault == "ledger.refused":
            raise LedgerError("the push was refused")
        if tip != self._place.tip:
            raise RevisionConflict("the ledger was written by somebody else", hint="Read it again.")
        new = self._place.swap(life.label, files, records, message)
        if life.effect(number, "acted"):
            raise life.crash("while a save was answered")
        if fault == "ledger.answer-lost":
            raise LedgerError("the answer to the push was lost")
        if number and self._faults.fires("pause", "pause.ledger"):
            await asyncio.sleep(self._faults.amount(f"pause/{len(self._place.versions)}", 200.0, 4000.0))
            life.touch("save")
        if life.effect(number, "after"):
            raise life.crash("after a save")
        return new

"""Who may have effects just now: one daemon of many; and the check before each effect that nothing ended or moved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from controller.errors import ControllerError, Interrupted, RevisionConflict
from controller.ports import Chance, Clock, Source

LASTS: Final = 30.0  # seconds without a sign of life after which a lease is anybody's
RENEWED: Final = LASTS / 3  # seconds between two signs of life: who has something going on looks as often


class Cell(Protocol):
    """A text that is changed by compare-and-swap. ``tip`` names its state, None where there is none."""

    async def read(self) -> tuple[str | None, str]:
        """Its tip and its text. Raises `ControllerError`."""
        ...

    async def write(self, tip: str | None, text: str) -> str:
        """Put a text where it stands at ``tip``; the new tip. Raises `RevisionConflict`, `ControllerError`."""
        ...


@dataclass(frozen=True, slots=True)
class _Sign:
    """The state of the cell, and when (monotonic) it was first seen like that."""

    tip: str | None
    at: float


class CellLease:
    """A lease in a cell. No clocks are compared: it is over once nobody has changed the cell for its whole length.

    It is renewed while there is work and given back when there is none, so that nothing is written while nothing
    happens. ``who`` is one word; ``is_gone`` tells of another one's whether it surely runs no more.
    A write whose answer was lost is known again by its text, which nobody else writes; ``written`` is that text, to be
    handed on to a lease that is opened in place of this one.
    """

    def __init__(
        self, cell: Cell, who: str, clock: Clock, chance: Chance, is_gone: Callable[[str], bool] = lambda _: False
    ) -> None:
        self._cell = cell
        self._is_gone = is_gone
        self._who = who
        self._clock = clock
        self._chance = chance
        self._seen = _Sign(None, clock.monotonic())
        self._mine: _Sign | None = None
        self.written = ""
        self.holder = ""

    async def take(self) -> bool:
        """Have it, or renew it; False where another one has it."""
        if self._mine is not None and self._clock.monotonic() - self._mine.at < RENEWED:
            return True
        tip, text = await self._cell.read()
        now = self._clock.monotonic()
        if tip != self._seen.tip:
            self._seen = _Sign(tip, now)
        self.holder = text.partition(" ")[0]
        ours = (self._mine is not None and self._mine.tip == tip) or (bool(text) and text == self.written)
        if not ours and self.holder and now - self._seen.at < LASTS and not self._is_gone(self.holder):
            self._mine = None
            return False
        return await self._put(tip, f"{self._who} {self._chance.nonce()}")

    async def still_held(self) -> bool:
        """Whether it is ours: renewed lately, or renewed now."""
        return self._mine is not None and await self.take()

    async def release(self) -> None:
        """Let others have it at once."""
        if self._mine is None:
            return
        tip, self._mine = self._mine.tip, None
        self.holder = ""
        try:
            await self._cell.write(tip, "")
        except RevisionConflict:
            return

    async def _put(self, tip: str | None, text: str) -> bool:
        before = self._clock.monotonic()  # from when others may count
        self.written = text
        try:
            new = await self._cell.write(tip, text)
        except RevisionConflict:
            self._mine = None
            return False
        self._mine = self._seen = _Sign(new, before)
        self.holder = self._who
        return True


class NoLease:
    """For a daemon that is alone by other means: always held."""

    def __init__(self, who: str = "") -> None:
        self.holder = who
        self.written = ""

    async def take(self) -> bool:
        """True."""
        return True

    async def still_held(self) -> bool:
        """True."""
        return True

    async def release(self) -> None:
        """Nothing to let go of."""


Lease = CellLease | NoLease


class Fence:
    """Stands before every request that changes something. A pause of any length may lie before the check, none after.

    The window between check and request stays open for as long as a request takes to leave; what closes it is the
    ledger and the id that names the run, never the lease.
    """

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._source: Source | None = None
        self._tip = ""
        self.ending = False

    def begin(self, source: Source, tip: str) -> None:
        """A pass decides on what the source gives at this tip."""
        self._source, self._tip = source, tip

    async def check(self) -> None:
        """Raises `Interrupted` where the pass may have no further effect."""
        if self.ending:
            raise Interrupted("the daemon was ending", hint="The next one goes on.")
        if self._source is None:
            raise Interrupted("no pass has begun")
        try:
            held = await self._lease.still_held()
            moved = await self._source.tip() != self._tip
        except ControllerError as error:
            raise Interrupted(f"before this could be done: {error.message}", hint=error.hint) from error
        if not held:
            raise Interrupted("another daemon took the lease", hint="That one goes on.")
        if moved:
            raise Interrupted("what is followed moved while the plan was carried out", hint="It is decided again.")

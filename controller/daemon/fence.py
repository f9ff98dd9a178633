"""The moment before an effect to leave to have it: nothing ended, nothing moved, the lease still ours."""

from __future__ import annotations

from controller.daemon.lease import Lease
from controller.errors import ControllerError, Interrupted
from controller.ports import Source


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

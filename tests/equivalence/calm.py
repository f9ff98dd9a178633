"""The simulation's parts without faults, on a loop of virtual time that is run from outside; what each says is kept."""

from __future__ import annotations

from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.simulation.chance import Draw
from tests.simulation.events import Event
from tests.simulation.faults import Faults, Schedule
from tests.simulation.ledger_port import Place, SimLedger
from tests.simulation.lives import Effects, Incarnation
from tests.simulation.loop import SimLoop
from tests.simulation.network import Line
from tests.simulation.remote import Remote, Service
from tests.simulation.repository import Mirror, Repository, SimSource

_T = TypeVar("_T")
_SEED = 1
_STEPS = 10**9


class Calm:
    """One simulated world in which nothing goes wrong."""

    def __init__(self, service: Service | None = None) -> None:
        self.loop = SimLoop(Draw(_SEED, "loop").random, _STEPS)
        self.events: list[Event] = []
        self._faults = Faults(_SEED, Schedule(only=frozenset()), self.events.append)
        self._effects = Effects(armed=False)
        self.remote = Remote(_SEED, service or Service(), self.events.append, self._faults.fires)
        self.repository = Repository(_SEED, self.events.append)
        self.place = Place(self.events.append, whole=True)

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Let virtual time pass until the work is done."""
        return self.loop.run_until_complete(work)

    def source(self) -> SimSource:
        """A mirror that never lags."""
        return SimSource(self.repository, self._life("source"), self._faults, Mirror())

    def ledger(self, label: str) -> SimLedger:
        """A writer's door to the one place."""
        return SimLedger(self.place, self._life(label), self._faults)

    def line(self, label: str) -> Line:
        """A way to the service that loses nothing."""
        return Line(self.remote, self._life(label), self._faults, Draw(_SEED, label))

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the loop."""
        self.loop.close()

    def _life(self, label: str) -> Incarnation:
        return Incarnation(label, self._faults, self._effects, self.events.append)

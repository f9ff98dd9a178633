"""Twenty-five reference scenarios: what people do, without a fault, and the runs that are made from them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tests.simulation.faults import Schedule
from tests.simulation.people import Act
from tests.simulation.remote import Service
from tests.simulation.shape import Shape
from tests.simulation.wishes import Wish

GAP = 1200.0  # between two acts: longer than a restart and the passes that catch up after it
ALPHA = Wish("alpha", "alpha")
DOOMED = replace(ALPHA, delete=True)
KEEPER = Wish("keeper", "keeper")  # stays, so that a removal is not the removal of everything
TUNING = 400.0
LONG_TUNING = 2400.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """``acts`` are words of `people.ACTS` for alpha, one each `GAP` seconds; ``faults`` keys of faults that belong."""

    name: str
    acts: tuple[tuple[str, int], ...] = ()
    wishes: tuple[Wish, ...] = (ALPHA,)
    tuning: float = TUNING
    stack: str = "direct"
    controllers: int = 1
    faults: tuple[str, ...] = ()
    quota: int = 1000
    tail: float = GAP
    mend: bool = True
    keys: tuple[str, ...] = field(default=())

    @property
    def shape(self) -> Shape:
        """The run without a crash: the reference."""
        acts = tuple(Act(GAP * (n + 1), what, "alpha", to) for n, (what, to) in enumerate(self.acts))
        only = frozenset((*self.faults, *(act.key for act in acts)))
        return Shape(
            seed=1,
            stack=self.stack,
            controllers=self.controllers,
            wishes=self.wishes,
            acts=acts,
            service=Service(
                chooses_id=self.stack != "vertex", quota=self.quota, shortest=self.tuning, longest=self.tuning
            ),
            schedule=Schedule(frozenset(), 0.0, only),
            interval=150.0,
            safety=GAP * (len(acts) + 1) + self.tail,
            grace=300.0,
            mend=self.mend,
            parsed_ledger=False,
            quiet_passes=2,
        )


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("one create"),
    Scenario("three creates", wishes=(ALPHA, Wish("beta", "beta"), Wish("gamma", "gamma"))),
    Scenario("retune beside the one that serves", (("epochs", 1),)),
    Scenario("retune while tuning", (("epochs", 1),), tuning=LONG_TUNING, tail=3000.0),
    Scenario("superseded, let finish", (("finish", 0), ("epochs", 1)), tuning=4000.0, tail=9000.0),
    Scenario("removed: left alone", (("remove", 0),), wishes=(ALPHA, KEEPER)),
    Scenario("removed while tuning", (("remove", 0),), wishes=(ALPHA, KEEPER), tuning=LONG_TUNING),
    Scenario("removed: deleted", (("remove", 0),), wishes=(DOOMED, KEEPER)),
    Scenario("removed and deleted while tuning", (("remove", 0),), (DOOMED, KEEPER), LONG_TUNING, tail=2000.0),
    Scenario("deleted and wanted again", (("remove", 0), ("add", 0), ("doom", 0)), wishes=(DOOMED, KEEPER)),
    Scenario("left alone and wanted again", (("remove", 0), ("add", 0)), wishes=(ALPHA, KEEPER)),
    Scenario("renamed", (("rename", 1),)),
    Scenario("renamed while tuning", (("rename", 1),), tuning=LONG_TUNING, tail=3000.0),
    Scenario("there and back", (("epochs", 1), ("epochs", 0))),
    Scenario("reverted", (("epochs", 1), ("revert", 0))),
    Scenario("another attempt", (("attempt", 0),)),
    Scenario("another name to show", (("display", 3), ("describe", 2))),
    Scenario("moved", (("move", 1),)),
    Scenario("suspended and resumed", (("suspend", 0), ("epochs", 1), ("suspend", 0))),
    Scenario("a run that fails", (("attempt", 0),), faults=("run/run.fails#1:run.fails",)),
    Scenario("a run past its limit", (("epochs", 2),), (replace(ALPHA, limit="10m"),), tuning=1500.0),
    Scenario("broken and mended", (("break", 0), ("epochs", 2))),
    Scenario("history beyond its limit", (("epochs", 1), ("epochs", 2), ("rows", 1), ("rows", 2)), (DOOMED,)),
    Scenario("a full quota", wishes=(ALPHA, Wish("beta", "beta")), quota=1, tail=3000.0),
    Scenario("ids of the provider's", (("epochs", 1),), stack="vertex"),
    Scenario("ids of the provider's, deleted", (("remove", 0), ("add", 0)), wishes=(DOOMED, KEEPER), stack="vertex"),
    Scenario("two controllers", (("epochs", 1), ("remove", 0)), wishes=(ALPHA, KEEPER), controllers=2),
)

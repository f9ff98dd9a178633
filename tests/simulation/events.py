"""What happened in one run, as typed events: all that the oracle reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.state.recorded import Record
from tests.simulation.wishes import Inputs, Wish


@dataclass(frozen=True, slots=True)
class Committed:
    """A person moved the branch. ``wishes`` is what the commit asks for, by name; ``broken`` names unreadable specs."""

    revision: str
    parent: str
    wishes: tuple[Wish, ...]
    broken: tuple[str, ...] = ()
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """A controller was given a tree. ``head`` is what the branch really was; ``whole`` whether it could be read.

    ``look`` counts the trees of one pass: the first one is planned on.
    """

    by: str
    revision: str
    head: str
    whole: bool
    look: int = 1


@dataclass(frozen=True, slots=True)
class Created:
    """The server began a run that is paid for."""

    by: str
    model: str
    mark: str
    inputs: Inputs
    price: float
    nth: int
    twin: bool = False  # made by a request that the line repeated, not by its sender


@dataclass(frozen=True, slots=True)
class Seen:
    """The server told a controller of a model: its state as answered, and its description, which no operation holds."""

    by: str
    model: str
    state: str
    description: str | None


@dataclass(frozen=True, slots=True)
class Missed:
    """The server told a controller that there is no such model."""

    by: str
    model: str


@dataclass(frozen=True, slots=True)
class Changed:
    """The server carried out ``verb`` (update, cancel, delete) on a model for ``by`` ("person" for a hand)."""

    by: str
    verb: str
    model: str
    state: str
    mark: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A run ended, or a model changed by itself; ``state`` is what it is now."""

    model: str
    state: str


@dataclass(frozen=True, slots=True)
class Saved:
    """A ledger version became durable; ``same``: nothing differed. ``leaks`` names files that hold a canary."""

    by: str
    tip: str
    base: str
    same: bool
    message: str
    leaks: str = ""
    records: Mapping[str, Record] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request reached the server."""

    by: str
    verb: str
    what: str


@dataclass(frozen=True, slots=True)
class PassBegan:
    """A controller began a pass."""

    by: str
    nth: int
    approved: frozenset[tuple[str, str]] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PassEnded:
    """A pass ended: its actions as (name, word, reason, model), or the class of the error that ended it."""

    by: str
    nth: int
    actions: tuple[tuple[str, str, str, str], ...]
    error: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault was let loose. ``key`` names it for a replay."""

    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class Died:
    """A controller's incarnation is dead."""

    by: str
    how: str


@dataclass(frozen=True, slots=True)
class DeadWrite:
    """A dead incarnation tried to act; the poisoned port refused."""

    by: str
    what: str


@dataclass(frozen=True, slots=True)
class Person:
    """A person did something by hand or by command."""

    what: str
    about: str


@dataclass(frozen=True, slots=True)
class Stands:
    """At the end: one model as it truly is."""

    model: str
    state: str
    display: str
    description: str
    inputs: Inputs


@dataclass(frozen=True, slots=True)
class Healed:
    """Faults are off from here on."""

    head: str


Event = (
    Committed
    | Told
    | Created
    | Seen
    | Missed
    | Changed
    | Ended
    | Saved
    | Asked
    | PassBegan
    | PassEnded
    | Fault
    | Died
    | DeadWrite
    | Person
    | Stands
    | Healed
)

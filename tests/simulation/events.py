"""What happened in one run, as typed events: all that the oracle reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from controller.state.recorded import Record
from tests.simulation.wishes import Inputs, Wish


@dataclass(frozen=True, slots=True)
class Committed:
    """A person moved the branch. ``wishes`` is what the commit asks for, by name; ``broken`` names unreadable specs.

    ``pull`` is the pull request that it landed with, 0 where it was pushed without one.
    """

    revision: str
    parent: str
    wishes: tuple[Wish, ...]
    broken: tuple[str, ...] = ()
    forced: bool = False
    pull: int = 0


@dataclass(frozen=True, slots=True)
class Drafted:
    """A person, or the code host, made a commit that is not on the branch."""

    revision: str
    parent: str
    wishes: tuple[Wish, ...]
    broken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JobBegan:
    """A job of the code host began: a plan of ``revision`` for a pull request, an apply of it, or a command."""

    by: str
    kind: str
    revision: str
    pull: int = 0
    head: str = ""
    branch: str = ""
    comment: int = 0
    author: str = ""
    verb: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True)
class JobEnded:
    """It ended: ``error`` is why, "" where it did what it was to do; ``unreviewed`` what it held, and why.

    ``untold`` are the names that it held without a refusal on record.
    """

    by: str
    error: str = ""
    unreviewed: tuple[tuple[str, str], ...] = ()
    untold: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Posted:
    """A comment of ours stands on a pull request from now on; ``rows`` are (name, word) of the models in its table.

    ``rows`` None: the comment is gone. ``helps``: it only says what can be said.
    """

    by: str
    pull: int
    comment: int
    rows: tuple[tuple[str, str], ...] | None
    helps: bool = False


@dataclass(frozen=True, slots=True)
class Moved:
    """A pull request stands so from now on."""

    pull: int
    head: str
    branch: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class Merged:
    """A pull request was merged at that head; ``landed`` are the commits that this put on its base branch."""

    pull: int
    branch: str
    head: str
    landed: tuple[str, ...]
    by: str


@dataclass(frozen=True, slots=True)
class Spoke:
    """A comment of a person says this from now on, "" where it was taken away."""

    comment: int
    pull: int
    author: str
    body: str


@dataclass(frozen=True, slots=True)
class Rights:
    """Somebody may write to the repository from now on, or may not."""

    who: str
    may: bool


@dataclass(frozen=True, slots=True)
class Obeyed:
    """A job carried out what a comment asked for, as far as it came."""

    by: str
    comment: int


@dataclass(frozen=True, slots=True)
class Allowed:
    """A person at a terminal lets these names pass without a review."""

    by: str
    names: tuple[str, ...]


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
    """The server told a controller of a model: its state as answered, and its description, which no operation holds.

    ``fields`` are (name, value) of all that can be changed in place; no operation holds them either.
    """

    by: str
    model: str
    state: str
    description: str | None
    fields: frozenset[tuple[str, str]] = field(default=frozenset(), repr=False)  # a set prints in any order


@dataclass(frozen=True, slots=True)
class Generated:
    """A model gave a controller an answer to a prompt."""

    by: str
    model: str


@dataclass(frozen=True, slots=True)
class Missed:
    """The server told a controller that there is no such model."""

    by: str
    model: str


@dataclass(frozen=True, slots=True)
class Changed:
    """The server carried out ``verb`` (update, cancel, delete) on a model for ``by`` ("person" for a hand).

    ``sent`` are (name, value) of the fields of an update; ``vain``: the model is as it was before; ``deaf``: a
    cancel was answered well, and the run goes on.
    """

    by: str
    verb: str
    model: str
    state: str
    mark: str
    display: str = ""  # of an update: what it is called from now on, and what it says without the mark
    text: str = ""
    sent: frozenset[tuple[str, str]] = field(default=frozenset(), repr=False)
    vain: bool = False
    deaf: bool = False


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
    | Generated
    | Drafted
    | JobBegan
    | JobEnded
    | Posted
    | Moved
    | Merged
    | Spoke
    | Rights
    | Obeyed
    | Allowed
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

"""The actions that a plan is made of, in the words of docs/lifecycle.md, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, TypedDict

from controller.plan.cost import Cost
from controller.state.desired import DesiredModel
from controller.state.observed import RemoteModel
from controller.state.reasons import Reason
from controller.state.recorded import Intent, Score, Slot


class ChangeClass(StrEnum):
    """What a changed field costs."""

    RETUNE = "retune"
    UPDATE = "update"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Change:
    """One field that differs. ``before`` and ``after`` are texts fit to show (never dataset rows)."""

    field: str
    change_class: ChangeClass
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class DatasetChange:
    """What an edit did to the examples, in counts. ``added`` etc. are 0 where the earlier rows are not known."""

    examples: int
    characters: int
    added: int = 0
    removed: int = 0
    edited: int = 0
    duplicates: int = 0


class Target(TypedDict):
    """What an action is about: a spec, its provider, and the remote model (its full name) with the inputs it has."""

    name: str
    provider: str
    model: str
    fingerprint: str
    attempt: int


def about(name: str, provider: str, run: Slot | Intent | None) -> Target:
    """The run that a slot or an intent speaks of, or, without one, the spec as a whole."""
    if run is None:
        return Target(name=name, provider=provider, model="", fingerprint="", attempt=0)
    return Target(name=name, provider=provider, model=run.model, fingerprint=run.fingerprint, attempt=run.attempt)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """What every action says. ``model`` is the full remote name it concerns, "" where there is none."""

    word: ClassVar[str]
    acts: ClassVar[bool] = True  # something is done; else it waits, holds, or finds all in order
    is_progress: ClassVar[bool] = False  # it only follows what happened: a spec asks for nothing by it
    on_the_way: ClassVar[bool] = False  # what the spec asks for is still to come
    serves: ClassVar[bool] = False  # what the spec asks for serves afterwards
    takes_away: ClassVar[bool] = False  # it stops, deletes or lets go of a model
    name: str
    provider: str
    reason: Reason
    message: str
    model: str = ""
    fingerprint: str = ""
    attempt: int = 0
    changes: tuple[Change, ...] = ()
    dataset: DatasetChange | None = None
    digest: str = ""

    def held(self, reason: Reason, message: str) -> Hold:
        """The hold that stands in the place of this action."""
        return Hold(
            name=self.name,
            provider=self.provider,
            reason=reason,
            message=message,
            model=self.model,
            fingerprint=self.fingerprint,
            attempt=self.attempt,
            changes=self.changes,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Paid(_Item):
    """What both kinds of paid runs have: what is asked for, the remote base model, and what it may cost."""

    on_the_way = True
    desired: DesiredModel
    base: str
    cost: Cost | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Create(_Paid):
    """Pay for the first run of a spec."""

    word = "create"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retune(_Paid):
    """Pay for a new run beside the one that serves."""

    word = "retune"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(_Item):
    """The desired run is tuning."""

    word = "wait"
    acts = False
    is_progress = True
    on_the_way = True
    completed_steps: int = 0
    total_steps: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Promote(_Item):
    """The pending run is finished: make it the active one, after its evaluation where the spec has one."""

    word = "promote"
    is_progress = True
    serves = True
    desired: DesiredModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Update(_Item):
    """Change what costs nothing, in place."""

    word = "update"
    serves = True
    desired: DesiredModel
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reuse(_Item):
    """A run of these inputs is there already: take it, for nothing."""

    word = "reuse"
    serves = True
    desired: DesiredModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopt(_Item):
    """The model of an open intent was found: record it."""

    word = "adopt"
    is_progress = True
    on_the_way = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel(_Item):
    """Stop a pending run that is no longer wanted."""

    word = "cancel"
    on_the_way = True
    takes_away = True
    operation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete(_Item):
    """Delete a remote model of ours that nobody wants."""

    word = "delete"
    takes_away = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan(_Item):
    """Leave the remote model alone and stop managing it."""

    word = "orphan"
    takes_away = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold(_Item):
    """Do nothing, and say why."""

    word = "hold"
    acts = False
    is_progress = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing(_Item):
    """Desired, recorded and observed agree."""

    word = "none"
    acts = False
    is_progress = True
    serves = True


Tune = Create | Retune  # what pays
Action = Create | Retune | Wait | Promote | Update | Reuse | Adopt | Cancel | Delete | Orphan | Hold | Nothing
WORDS: tuple[str, ...] = tuple(
    kind.word for kind in (Create, Retune, Wait, Promote, Update, Reuse, Adopt, Cancel, Delete, Orphan, Hold, Nothing)
)


@dataclass(frozen=True, slots=True)
class Guard:
    """Why apply refuses the plan as a whole. ``allow`` is what to write behind ``--allow``, "" where nothing helps;
    ``hint`` what may be done instead.
    """

    code: str
    message: str
    names: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """The decision for one revision. Guards never hide it: they are shown with it, and apply refuses."""

    revision: str | None
    actions: tuple[Action, ...]
    guards: tuple[Guard, ...] = ()
    digest: str = ""

    @property
    def summary(self) -> dict[str, int]:
        """How many actions of each word, those with none left out."""
        counts = {word: sum(a.word == word for a in self.actions) for word in WORDS}
        return {word: n for word, n in counts.items() if n}


@dataclass(frozen=True, slots=True)
class Done:
    """It was carried out (or there was nothing to do). ``remote`` is the model as the provider answered it."""

    action: Action
    remote: RemoteModel | None = None
    score: Score | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """It was not carried out, or its outcome is not known; ``reason`` and ``message`` become the condition.

    ``skipped`` are the actions of the same name that stood behind it and were not tried.
    """

    action: Action
    reason: Reason
    message: str
    hint: str = ""
    score: Score | None = None
    skipped: tuple[Action, ...] = ()


Outcome = Done | Held

"""Scripted people: what they commit, when, and what they do by hand in the console."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from tests.simulation.chance import Draw
from tests.simulation.repository import Commit, Repository, invalid_spec, unreadable_spec
from tests.simulation.wishes import Wish

Wishes: TypeAlias = dict[str, Wish]


@dataclass(frozen=True, slots=True)
class Act:
    """One act of a person at one time. ``what`` is a word of `ACTS`, ``name`` a spec, ``to`` a number it may take."""

    at: float
    what: str
    name: str
    to: int = 0

    @property
    def key(self) -> str:
        """What names it in a schedule."""
        return f"act@{self.at:g}:{self.what}:{self.name}:{self.to}"


def perform(act: Act, repository: Repository, now: float) -> None:
    """Commit what the act says, where it says anything at all."""
    head = repository.head
    if act.what == "revert":
        _revert(repository, now)
    elif act.what == "rewrite":
        _rewrite(act, repository, now)
    else:
        wishes, broken = dict(head.wishes), dict(head.broken)
        if ACTS[act.what](act, wishes, broken):
            repository.commit(told_apart(wishes, now), broken, now)


def mended(repository: Repository, now: float) -> None:
    """At the end every broken file is put right."""
    head = repository.head
    if head.broken:
        repository.commit(head.wishes, {}, now)


Change = Callable[[Act, Wishes, dict[str, bytes]], bool]


def _on(change: Callable[[Wish, Act], Wish]) -> Change:
    def acting(act: Act, wishes: Wishes, broken: dict[str, bytes]) -> bool:
        if act.name not in wishes:
            return False
        new = change(wishes[act.name], act)
        same = new == wishes[act.name]
        wishes[act.name] = new
        return broken.pop(act.name, None) is not None or not same

    return acting


def _remove(act: Act, wishes: Wishes, broken: dict[str, bytes]) -> bool:
    broken.pop(act.name, None)
    return wishes.pop(act.name, None) is not None


def _add(act: Act, wishes: Wishes, broken: dict[str, bytes]) -> bool:
    del broken
    if act.name in wishes or any(act.name in wish.former for wish in wishes.values()):
        return False
    wishes[act.name] = Wish(act.name, act.name, epochs=2 + act.to % 2)
    return True


def _rename(act: Act, wishes: Wishes, broken: dict[str, bytes]) -> bool:
    new = f"{act.name}-r{act.to}"
    if act.name not in wishes or new in wishes or act.name in broken:
        return False
    old = wishes.pop(act.name)
    wishes[new] = replace(old, name=new, former=(act.name, *old.former)[:3], file=old.file)
    return True


def _break(act: Act, wishes: Wishes, broken: dict[str, bytes]) -> bool:
    if act.name not in wishes or act.name in broken:
        return False
    broken[act.name] = unreadable_spec() if act.to % 2 else invalid_spec(wishes[act.name])
    return True


ACTS: Mapping[str, Change] = {
    "epochs": _on(lambda wish, act: replace(wish, epochs=2 + act.to % 3)),
    "rows": _on(lambda wish, act: replace(wish, rows=act.to % 3)),
    "display": _on(lambda wish, act: replace(wish, display=f"Shown {act.to}")),
    "describe": _on(lambda wish, act: replace(wish, description=f"Says {act.to}")),
    "attempt": _on(lambda wish, _: replace(wish, attempt=wish.attempt + 1)),
    "suspend": _on(lambda wish, _: replace(wish, suspend=not wish.suspend)),
    "finish": _on(lambda wish, _: replace(wish, finish=not wish.finish)),
    "doom": _on(lambda wish, _: replace(wish, delete=not wish.delete)),
    "limit": _on(lambda wish, _: replace(wish, limit="20m")),
    "move": _on(lambda wish, act: replace(wish, file=f"moved/{wish.name}-{act.to}")),
    "remove": _remove,
    "add": _add,
    "rename": _rename,
    "break": _break,
}
EVERY_ACT = (*ACTS, "flap", "revert", "rewrite")
_OFTEN = ("epochs", "epochs", "remove", "remove", "add", "add", "flap", "rows", "attempt", "doom")


def _revert(repository: Repository, now: float) -> None:
    """A commit that puts back what the parent asked for."""
    parent = repository.head.parent
    if parent:
        old: Commit = repository.commits[parent]
        repository.commit(dict(old.wishes), old.broken, now)


def told_apart(wishes: Wishes, now: float) -> Wishes:
    """Of two that bear one lineage, the one without former names is somebody else, who took a name that was left."""
    bearers = Counter(wish.lineage for wish in wishes.values())
    return {
        name: replace(wish, lineage=f"{name}@{now:g}") if bearers[wish.lineage] > 1 and not wish.former else wish
        for name, wish in wishes.items()
    }


def _rewrite(act: Act, repository: Repository, now: float) -> None:
    """History is rewritten: the head is replaced by a commit on its parent that asks for something else."""
    head = repository.head
    if not head.parent:
        return
    wishes = dict(repository.commits[head.parent].wishes)
    if act.name in wishes and act.to % 2:
        del wishes[act.name]
    elif act.name in wishes:
        wishes[act.name] = replace(wishes[act.name], epochs=2 + act.to % 3)
    repository.rewrite(wishes, {}, head.parent, now)


def script(seed: int, names: tuple[str, ...], end: float, acts: int) -> tuple[Act, ...]:
    """The acts of one seed, in the order of their time. A flap is two acts close together."""
    draw = Draw(seed, "people")
    found: list[Act] = []
    for _ in range(acts):
        at, what = draw.between(30.0, end), draw.one((*EVERY_ACT, *_OFTEN))
        name, to = draw.one(names), draw.number(0, 5)
        if what == "flap":
            found += [Act(at, "epochs", name, to), Act(round(at + draw.between(5.0, 200.0), 3), "epochs", name, 0)]
        else:
            found.append(Act(at, what, name, to))
    return tuple(sorted(found, key=lambda act: (act.at, act.key)))

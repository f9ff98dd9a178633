"""Scripted people on a code host: what they open, push, merge, say and take back, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.simulation.chance import Draw
from tests.simulation.forge import BOT, MAIN, NEXT, Forge, Hook
from tests.simulation.people import ACTS, Act, Wishes, told_apart
from tests.simulation.repository import Commit, Wrote

if TYPE_CHECKING:
    from tests.simulation.world import World

_PATIENCE = 900.0  # seconds that a careful person waits for a plan before leaving it alone
_READING = 2.0  # seconds that it takes at least to read one
WAYS = ("merge", "squash", "rebase")
_INNER = ("epochs", "epochs", "epochs", "rows", "display", "describe", "attempt", "add", "add", "remove", "remove")
_RARE = ("rename", "break", "doom", "move", "finish", "suspend")


def is_hosted(act: Act) -> bool:
    """Whether an act is one on the code host."""
    return act.what.partition(":")[0] in _HOSTED


async def act_on_host(act: Act, world: World) -> None:
    """Do what the act says, where it says anything at all."""
    assert world.forge is not None
    word, _, more = act.what.partition(":")
    if word == "merge-well":
        await _merge_well(act, more, world.forge)
    elif word == "again":
        world.again(more, act.to)
    else:
        _HOSTED[word](act, more, world.forge)


def _changed(act: Act, what: str, held: Commit, forge: Forge) -> tuple[Wishes, dict[str, bytes]] | None:
    """What a change makes of a commit; None where it makes nothing of it."""
    wishes, broken = dict(held.wishes), dict(held.broken)
    if what == "back":
        parent = held.parent
        return (dict(forge.repository.commits[parent].wishes), {}) if parent else None
    if not ACTS[what](replace(act, what=what), wishes, broken):
        return None
    return told_apart(wishes, forge.now()), broken


def _draft(act: Act, what: str, parent: str, who: str, forge: Forge) -> str:
    changed = _changed(act, what, forge.repository.commits[parent], forge)
    if changed is None:
        return ""
    wrote = Wrote(who, forge.now(), f"{what} {act.name} {act.to} at {forge.now():g}")
    return forge.repository.draft(*changed, parent, forge.now(), wrote).revision


def _open(act: Act, more: str, forge: Forge) -> None:
    """``pull:WHAT``, ``pull:WHAT:fork``, ``pull:WHAT:next``: a branch off the applied one, or off the other."""
    what, _, how = more.partition(":")
    branch = NEXT if how == "next" else MAIN
    point = forge.tip(branch)
    made = _draft(act, what, point, "ann", forge)
    if made:
        forge.open("eve" if how == "fork" else "ann", branch, (point, made), fork=how == "fork")


def _opened(forge: Forge) -> list[int]:
    return [number for number, pull in forge.pulls.items() if pull.is_open]


def _chosen(act: Act, numbers: Sequence[int]) -> int:
    """The newest, or for a number of its own an older one; 0 where there is none."""
    return numbers[-1 - act.to % len(numbers)] if numbers else 0


def _more(act: Act, what: str, forge: Forge) -> None:
    number = _chosen(replace(act, to=act.to // 10), _opened(forge))
    made = _draft(act, what, forge.pulls[number].head, forge.pulls[number].author, forge) if number else ""
    if made:
        forge.push(number, made)


def _forced(act: Act, what: str, forge: Forge) -> None:
    number = _chosen(replace(act, to=act.to // 10), _opened(forge))
    made = _draft(act, what, forge.pulls[number].point, forge.pulls[number].author, forge) if number else ""
    if made:
        forge.replaced(number, made)


def _merge(act: Act, way: str, forge: Forge) -> None:
    number = _chosen(act, _opened(forge))
    if number:
        forge.merge(number, way, "dan")


async def _merge_well(act: Act, way: str, forge: Forge) -> None:
    """Merge once its plan is there, for its head as it is; leave it alone where none comes."""
    number = _chosen(act, _opened(forge))
    waited = 0.0
    while number and forge.pulls[number].is_open and waited < _PATIENCE:
        await asyncio.sleep(20.0)
        waited += 20.0
        if _is_planned(number, forge):
            forge.merge(number, way, "dan")
            return


def _is_planned(number: int, forge: Forge) -> bool:
    head = forge.pulls[number].head[:7]
    mine = [one for one in forge.remarks.values() if one.pull == number and one.author == BOT and not one.gone]
    read = [one for one in mine if one.updated < forge.now() - _READING]
    return any(head in one.body and "Gitune plan" in one.body for one in read)


def _close(act: Act, more: str, forge: Forge) -> None:
    del more
    number = _chosen(act, _opened(forge))
    if number:
        forge.set_open(number, is_open=False)


def _reopen(act: Act, more: str, forge: Forge) -> None:
    del more
    number = _chosen(act, [n for n, pull in forge.pulls.items() if not pull.is_open and not pull.merged])
    if number:
        forge.set_open(number, is_open=True)


def _retarget(act: Act, more: str, forge: Forge) -> None:
    del more
    number = _chosen(act, _opened(forge))
    if number:
        forge.retarget(number)


def _say(act: Act, more: str, forge: Forge) -> None:
    """``say:WHO:WORDS``, on a pull request; NAME stands for the act's name."""
    who, _, words = more.partition(":")
    number = _chosen(act, list(forge.pulls))
    if number:
        forge.say(number, who, f"/gitune {words.replace('NAME', act.name)}")


def _rights(act: Act, more: str, forge: Forge) -> None:
    del act
    forge.may("bob", may=more == "given")


def _edit(act: Act, more: str, forge: Forge) -> None:
    """``comment:edit``, ``comment:erase``: the last command of a person; ``comment:ours`` is the bot's."""
    ours = more.startswith("ours")
    there = [r.id for r in forge.remarks.values() if not r.gone and (r.author == BOT) is ours]
    chosen = _chosen(act, there)
    if chosen:
        erase = more.endswith("erase")
        forge.change(chosen, None if erase else forge.remarks[chosen].body + "\n\nEdited.")


def _schedule(act: Act, more: str, forge: Forge) -> None:
    del act, more
    forge.wake(Hook("apply"))


_HOSTED: Mapping[str, Callable[[Act, str, Forge], None]] = {
    "pull": _open,
    "more": _more,
    "forced": _forced,
    "merge": _merge,
    "merge-well": _merge,
    "close": _close,
    "reopen": _reopen,
    "retarget": _retarget,
    "say": _say,
    "rights": _rights,
    "comment": _edit,
    "schedule": _schedule,
    "again": _schedule,
}


def hosted_script(seed: int, names: tuple[str, ...], end: float, *, orderly: bool) -> tuple[Act, ...]:
    """The acts of one seed on its code host: a few stories of a pull request each, and what else may happen there."""
    draw = Draw(seed, "reviewers")
    found: list[Act] = []
    for _ in range(draw.number(2, 5)):
        found += _story(draw, names, end, orderly=orderly)
    if not orderly:
        found += [_stray(draw, names, end) for _ in range(draw.number(2, 8))]
    return tuple(sorted(found, key=lambda act: (act.at, act.key)))


def _story(draw: Draw, names: tuple[str, ...], end: float, *, orderly: bool) -> list[Act]:
    at, name = draw.between(30.0, end * 0.8), draw.one(names)
    inner = draw.one((*_INNER, *_RARE)) if draw.chance(0.25) else draw.one(_INNER)
    how = "" if orderly or draw.chance(0.8) else draw.one((":fork", ":next"))
    acts = [Act(at, f"pull:{inner}{how}", name, draw.number(0, 5))]
    if draw.chance(0.35) and not orderly:
        at += draw.between(1.0, 300.0)
        word = draw.one(("more", "more", "forced"))
        acts.append(Act(at, f"{word}:{draw.one(_INNER)}", draw.one(names), draw.number(0, 5)))
    at += draw.between(1.0, 400.0)
    careful = orderly or draw.chance(0.5)
    acts.append(Act(at, f"{'merge-well' if careful else 'merge'}:{draw.one(WAYS)}", name, 0))
    if draw.chance(0.5) and not orderly:
        at += draw.between(1.0, 900.0)
        acts.append(Act(at, f"say:{draw.one(_SAYERS)}:{draw.one(_SAID)}", name, 0))
    return [replace(act, at=round(act.at, 3)) for act in acts]


_SAYERS = ("ann", "bob", "bob", "eve")
_SAID = ("apply", "apply", "cancel NAME", "approve-delete NAME", "plan", "help")


def _stray(draw: Draw, names: tuple[str, ...], end: float) -> Act:
    at, name, to = draw.between(30.0, end), draw.one(names), draw.number(0, 5)
    match draw.one(("say", "say", "rights", "comment", "schedule", "again", "again", "close", "retarget", "back")):
        case "say":
            return Act(at, f"say:{draw.one(_SAYERS)}:{draw.one(_SAID)}", name, to)
        case "rights":
            return Act(at, f"rights:{draw.one(('taken', 'given'))}", name)
        case "comment":
            return Act(at, f"comment:{draw.one(('edit', 'erase', 'ours-edit', 'ours-erase'))}", name, to)
        case "close":
            return Act(at, draw.one(("close", "reopen")), name, to)
        case "back":
            return Act(at, "pull:back", name, to)
        case "again":
            return Act(at, f"again:{draw.one(('plan', 'apply', 'command', 'command'))}", name, to)
        case word:
            return Act(at, word, name, to)

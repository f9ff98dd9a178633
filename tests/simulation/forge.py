"""Pull requests, comments and rights as a code host holds them: what people do there, and what it says of it later."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from tests.simulation.events import Event, Merged, Moved, Posted, Rights, Spoke
from tests.simulation.repository import Commit, Repository, Wrote
from tests.simulation.wishes import Wish

MAIN = "main"
NEXT = "next"  # another branch, which is never applied
BOT = "gitune-bot"
_T = TypeVar("_T")
_ROW = re.compile(r"^\|[^|\n]*?([a-z]+) ?\| ?`([a-z0-9-]+)` ?\|", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Remark:
    """One comment. ``updated`` is when it was written last, in seconds; of one that is gone nothing is shown."""

    id: int
    pull: int
    author: str
    body: str
    memory: str = ""
    updated: float = 0.0
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """One pull request: where it began on its base branch, and what was committed since."""

    number: int
    author: str
    branch: str
    point: str
    own: tuple[str, ...]
    fork: bool = False
    is_open: bool = True
    merged_at: float | None = None
    merged_by: str = ""
    landed: tuple[str, ...] = ()

    @property
    def head(self) -> str:
        """The newest of its own commits."""
        return self.own[-1]

    @property
    def merged(self) -> bool:
        """Whether it was merged."""
        return self.merged_at is not None


@dataclass(frozen=True, slots=True)
class Hook:
    """What the host starts a job for: ``kind`` is plan, apply or command, ``number`` a pull request or comment."""

    kind: str
    number: int = 0


@dataclass
class Forge:
    """All of it, and whom it wakes."""

    repository: Repository
    log: Callable[[Event], None]
    now: Callable[[], float]
    wake: Callable[[Hook], None] = lambda _: None
    pulls: dict[int, Request] = field(default_factory=dict)
    remarks: dict[int, Remark] = field(default_factory=dict)
    rights: set[str] = field(default_factory=lambda: {"ann", "bob", "dan"})
    written: int = 0  # by us

    def __post_init__(self) -> None:
        """The other branch begins where the first one stands, once somebody needs it."""
        self._next = ""
        self._ids = 1000

    # Branches

    def tip(self, branch: str) -> str:
        """The commit that a branch stands on."""
        return self.repository.head.revision if branch == MAIN else self._next or self.repository.head.revision

    def prepared(self, number: int) -> Commit | None:
        """A pull request's head merged into its base branch as that is now; None where the two cannot be joined."""
        pull = self.pulls[number]
        base = self.tip(pull.branch)
        joined = self._joined(base, pull.point, pull.head)
        if joined is None:
            return None
        return self.repository.draft(*joined, base, self.now(), Wrote("host", self.now(), f"prepared {number}"))

    def _joined(self, ours: str, point: str, theirs: str) -> tuple[Mapping[str, Wish], Mapping[str, bytes]] | None:
        """What a three-way merge gives, name by name."""
        one, base, two = (self.repository.commits[revision] for revision in (ours, point, theirs))
        wishes = _three_way(one.wishes, base.wishes, two.wishes)
        broken = _three_way(one.broken, base.broken, two.broken)
        if wishes is None or broken is None:
            return None
        names = [name for wish in wishes.values() for name in (wish.name, *wish.former)]
        files = [wish.path for wish in wishes.values()]
        if len(set(names)) < len(names) or len(set(files)) < len(files):
            return None
        return wishes, {name: data for name, data in broken.items() if name in wishes}

    # Pull requests

    def open(self, author: str, branch: str, made: tuple[str, str], *, fork: bool = False) -> int:
        """A new one: ``made`` is where it began, and its first commit."""
        number = len(self.pulls) + 1
        self._set(Request(number, author, branch, made[0], (made[1],), fork))
        self.wake(Hook("plan", number))
        return number

    def _set(self, pull: Request) -> None:
        self.pulls[pull.number] = pull
        self.log(Moved(pull.number, pull.head, pull.branch, pull.is_open))

    def push(self, number: int, revision: str) -> None:
        """One more commit on it."""
        pull = self.pulls[number]
        self._set(replace(pull, own=(*pull.own, revision)))
        self.wake(Hook("plan", number))

    def replaced(self, number: int, revision: str) -> None:
        """A forced push: another commit in the place of all."""
        self._set(replace(self.pulls[number], own=(revision,)))
        self.wake(Hook("plan", number))

    def set_open(self, number: int, *, is_open: bool) -> None:
        """Close it, or open it again."""
        pull = self.pulls[number]
        if pull.merged or pull.is_open is is_open:
            return
        self._set(replace(pull, is_open=is_open))
        if is_open:
            self.wake(Hook("plan", number))

    def retarget(self, number: int) -> None:
        """It is to be merged into the other branch."""
        pull = self.pulls[number]
        if pull.is_open:
            self._set(replace(pull, branch=NEXT if pull.branch == MAIN else MAIN))
            self.wake(Hook("plan", number))

    def merge(self, number: int, way: str, who: str) -> bool:
        """Merge it in one of three ways; False where that cannot be done."""
        pull = self.pulls[number]
        if (
            not pull.is_open
            or who not in self.rights
            or self._joined(self.tip(pull.branch), pull.point, pull.head) is None
        ):
            return False
        steps = self._rebased(pull) if way == "rebase" else self._at_once(pull, way)
        landed = tuple(self._put(pull, joined, wrote).revision for joined, wrote in steps)
        self._set(replace(pull, is_open=False, merged_at=self.now(), merged_by=who, landed=landed))
        self.log(Merged(number, pull.branch, pull.head, landed, who))
        if pull.branch == MAIN:
            self.wake(Hook("apply"))
        return True

    def _at_once(self, pull: Request, way: str) -> list[tuple[tuple[str, str], Wrote]]:
        wrote = Wrote(pull.author if way == "squash" else "host", self.now(), f"{way} of {pull.number}")
        return [((pull.point, pull.head), wrote)]

    def _rebased(self, pull: Request) -> list[tuple[tuple[str, str], Wrote]]:
        """Each of its commits anew, by the one who wrote it then."""
        points = (pull.point, *pull.own[:-1])
        return [((point, one), self.repository.commits[one].wrote) for point, one in zip(points, pull.own, strict=True)]

    def _put(self, pull: Request, step: tuple[str, str], wrote: Wrote) -> Commit:
        onto = self.tip(pull.branch)
        joined = self._joined(onto, *step)
        held = self.repository.commits[onto]
        wishes, broken = joined if joined is not None else (held.wishes, held.broken)
        if pull.branch == MAIN:
            return self.repository.commit(wishes, broken, self.now(), pull=pull.number, wrote=wrote)
        made = self.repository.draft(wishes, broken, onto, self.now(), wrote)
        self._next = made.revision
        return made

    # Comments and rights

    def say(self, number: int, author: str, body: str) -> int:
        """A person's comment on a pull request."""
        self._ids += 1
        self.remarks[self._ids] = Remark(self._ids, number, author, body, "", self.now())
        self.log(Spoke(self._ids, number, author, body))
        self.wake(Hook("command", self._ids))
        return self._ids

    def change(self, comment: int, body: str | None) -> None:
        """A person writes a comment over, or takes it away; also one of ours."""
        there = self.remarks[comment]
        gone = body is None
        self.remarks[comment] = replace(there, body=body or "", gone=gone, updated=self.now())
        if there.author != BOT:
            self.log(Spoke(comment, there.pull, there.author, body or ""))
        elif gone:
            self.log(Posted("person", there.pull, comment, None))

    def post(self, by: str, remark: Remark) -> Remark:
        """A comment of ours, new (id 0) or in the place of what stood there."""
        if not remark.id:
            self._ids += 1
            remark = replace(remark, id=self._ids)
        remark = replace(remark, updated=self.now())
        self.remarks[remark.id] = remark
        self.written += 1
        rows, helps = None if remark.gone else tuple(sorted(shown(remark.body))), '"purpose":"help"' in remark.memory
        self.log(Posted(by, remark.pull, remark.id, rows, helps))
        return remark

    def may(self, who: str, *, may: bool) -> None:
        """Somebody gets the right to write, or loses it."""
        if may is (who in self.rights):
            return
        self.rights ^= {who}
        self.log(Rights(who, may))


def shown(body: str) -> frozenset[tuple[str, str]]:
    """The models that a reader sees in the table of a comment, each with the word of what is done."""
    return frozenset((name, word) for word, name in _ROW.findall(body))


def _three_way(ours: Mapping[str, _T], base: Mapping[str, _T], theirs: Mapping[str, _T]) -> dict[str, _T] | None:
    """By key, what one side alone has changed; None where both did, each otherwise."""
    found: dict[str, _T] = {}
    for key in sorted({*ours, *base, *theirs}):
        one, was, two = ours.get(key), base.get(key), theirs.get(key)
        if was not in (one, two) and one != two:
            return None
        kept = two if one == was else one
        if kept is not None:
            found[key] = kept
    return found

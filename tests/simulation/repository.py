"""Commits of scripted users to a `controller.ports.Source` whose mirror lags, breaks off and shows old heads."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from controller.errors import SourceError, Unreadable
from controller.ports import Entry, EntryKind, Landing, OneByOne, Relation
from controller.testing import MemoryTree
from tests.simulation.events import Committed, Drafted, Event, Told
from tests.simulation.faults import Faults
from tests.simulation.lives import Incarnation
from tests.simulation.times import rfc3339
from tests.simulation.windows import Window, within
from tests.simulation.wishes import BROKEN, Wish, rows_bytes, spec_bytes


@dataclass(frozen=True, slots=True)
class Wrote:
    """What a rebase leaves of a commit as it was: who wrote it, when (in seconds), and the message."""

    author: str = "dan"
    at: float = 0.0
    message: str = ""


@dataclass(frozen=True, slots=True)
class Commit:
    """One state of the desired side. ``broken`` maps a name to the bytes that stand in for its spec.

    ``landed`` is when it was committed.
    """

    revision: str
    parent: str
    wishes: Mapping[str, Wish]
    broken: Mapping[str, bytes]
    files: Mapping[str, bytes]
    wrote: Wrote = Wrote()
    landed: float = 0.0

    def asks(self, name: str) -> Wish | None:
        """The wish of that name, where its spec can be read."""
        return self.wishes.get(name)


class Repository:
    """The branch that is followed, with all that it ever was."""

    def __init__(self, seed: int, log: Callable[[Event], None]) -> None:
        self._seed = seed
        self._log = log
        self.commits: dict[str, Commit] = {}
        self.heads: list[tuple[float, str]] = []

    @property
    def head(self) -> Commit:
        """What the branch truly is."""
        return self.commits[self.heads[-1][1]]

    def commit(
        self,
        wishes: Mapping[str, Wish],
        broken: Mapping[str, bytes],
        now: float,
        *,
        pull: int = 0,
        wrote: Wrote | None = None,
    ) -> Commit:
        """A commit on top of the head; ``pull`` is the pull request that it lands with, 0 for none."""
        parent = self.heads[-1][1] if self.heads else ""
        made = self._made(parent, wishes, broken, now, wrote)
        self._move(made, now, forced=False, pull=pull)
        return made

    def draft(
        self,
        wishes: Mapping[str, Wish],
        broken: Mapping[str, bytes],
        parent: str,
        now: float,
        wrote: Wrote | None = None,
    ) -> Commit:
        """A commit on another branch."""
        made = self._made(parent, wishes, broken, now, wrote)
        self._log(Drafted(made.revision, parent, _sorted(made), tuple(sorted(broken))))
        return made

    def _made(
        self,
        parent: str,
        wishes: Mapping[str, Wish],
        broken: Mapping[str, bytes],
        now: float,
        wrote: Wrote | None,
    ) -> Commit:
        made = _commit(f"{self._seed}/{len(self.commits)}", parent, wishes, broken)
        made = replace(made, wrote=wrote or Wrote(at=now, message=f"commit {len(self.commits)}"), landed=now)
        self.commits[made.revision] = made
        return made

    def force(self, revision: str, now: float) -> None:
        """The branch is put elsewhere."""
        self._move(self.commits[revision], now, forced=True)

    def rewrite(self, wishes: Mapping[str, Wish], broken: Mapping[str, bytes], parent: str, now: float) -> Commit:
        """A commit on an older one takes the branch: what stood between is gone from history."""
        made = self._made(parent, wishes, broken, now, None)
        self._move(made, now, forced=True)
        return made

    def at(self, time: float) -> str:
        """The head a mirror shows that is as old as that."""
        found = self.heads[0][1]
        for since, revision in self.heads:
            if since > time:
                break
            found = revision
        return found

    def restore(self, name: str, now: float) -> None:
        """A person wants a spec again that was removed, as it last was; not where that makes two bearers of a name."""
        head = self.head
        borne = set(head.wishes) | {former for wish in head.wishes.values() for former in wish.former}
        if name in borne:
            return
        for _, revision in reversed(self.heads):
            wish = self.commits[revision].wishes.get(name)
            if wish is not None:
                if borne.isdisjoint(wish.former):
                    self.commit({**head.wishes, name: wish}, head.broken, now)
                return

    def ancestors(self, revision: str) -> set[str]:
        """Every commit below one; none below one that is not known."""
        found: set[str] = set()
        known = self.commits.get(revision)
        parent = known.parent if known else ""
        while parent:
            found.add(parent)
            parent = self.commits[parent].parent
        return found

    def landings(self, revision: str, since: str, paths: frozenset[str], most: int) -> Sequence[Landing]:
        """The commits of a first-parent history, the newest first, without those that ``since`` has."""
        known = {since, *self.ancestors(since)} if since else set()
        found: list[Landing] = []
        at = revision
        while at and at not in known and len(found) < most:
            commit = self.commits[at]
            if not paths or self._differs(commit, paths):
                found.append(_landing(commit))
            at = commit.parent
        return tuple(found)

    def _differs(self, commit: Commit, paths: frozenset[str]) -> bool:
        before = self.commits[commit.parent].files if commit.parent else {}
        return any(commit.files.get(path) != before.get(path) for path in paths)

    def _move(self, made: Commit, now: float, *, forced: bool, pull: int = 0) -> None:
        self.heads.append((now, made.revision))
        self._log(Committed(made.revision, made.parent, _sorted(made), tuple(sorted(made.broken)), forced, pull))


def _sorted(commit: Commit) -> tuple[Wish, ...]:
    return tuple(commit.wishes[name] for name in sorted(commit.wishes))


def _landing(commit: Commit) -> Landing:
    wrote = commit.wrote
    at, landed = rfc3339(wrote.at), rfc3339(commit.landed)
    return Landing(commit.revision, commit.parent, wrote.author, at, wrote.message, landed)


def _commit(label: str, parent: str, wishes: Mapping[str, Wish], broken: Mapping[str, bytes]) -> Commit:
    revision = hashlib.sha1(label.encode(), usedforsecurity=False).hexdigest()
    files = {wish.path: broken.get(name) or spec_bytes(wish) for name, wish in wishes.items()}
    files |= {f"specs/rows-{n}.jsonl": rows_bytes(n) for n in sorted({w.rows for w in wishes.values()})}
    files.setdefault("README.md", b"models\n")
    return Commit(revision, parent, dict(wishes), dict(broken), files)


def unreadable_spec() -> bytes:
    """A spec whose very name cannot be read."""
    return BROKEN


def invalid_spec(wish: Wish) -> bytes:
    """A spec that can be named and not used."""
    return spec_bytes(wish).replace(b"  attempt:", b"  attempts:")


class SimTree(OneByOne):
    """One commit as a `controller.ports.Tree`."""

    def __init__(self, commit: Commit, life: Incarnation, faults: Faults, missing: str = "") -> None:
        """``missing`` is what cannot be read: the ``list``, or the ``files`` of specs."""
        self._commit = commit
        self._life = life
        self._faults = faults
        self._missing = missing

    @property
    def revision(self) -> str:
        """The commit's id."""
        return self._commit.revision

    def entries(self) -> Sequence[Entry]:
        """Every path. Raises `SourceError` where the tree broke off."""
        self._life.touch("entries")
        if self._missing == "list":
            raise SourceError("the tree cannot be listed whole")
        return [Entry(path, EntryKind.FILE, len(data)) for path, data in sorted(self._commit.files.items())]

    def read(self, path: str, limit: int) -> bytes:
        """A file's bytes. Raises `Unreadable`."""
        self._life.touch("read")
        known = path in self._commit.files
        spec = known and path.endswith(".yaml")
        if spec and (self._missing == "files" or self._faults.fires("git.read", "git.unread")):
            self._life.log(Told(self._life.label, self.revision, self.revision, whole=False, look=self._life.looks))
            raise Unreadable(f"{path} cannot be read just now", code="GT404")
        return MemoryTree(self._commit.revision, self._commit.files, {}).read(path, limit)


@dataclass(frozen=True, slots=True)
class Mirror:
    """How a controller's copy of the repository behaves. ``meddle`` lets people act just before another look.

    ``fixed`` is the one commit that a job was started for, "" where the branch is followed.
    """

    lag: float = 0.0
    shown: tuple[Window, ...] = ()
    meddle: Callable[[str], None] = lambda _: None
    fixed: str = ""


class SimSource:
    """A controller's own mirror of the repository, ``lag`` seconds behind."""

    def __init__(self, repository: Repository, life: Incarnation, faults: Faults, mirror: Mirror) -> None:
        self._repository = repository
        self._life = life
        self._faults = faults
        self._mirror = mirror

    async def tree(self, revision: str | None = None) -> SimTree:
        """The tree the mirror shows. Raises `SourceError`."""
        self._life.touch("tree")
        await asyncio.sleep(0.05)
        self._life.touch("tree")
        now = asyncio.get_running_loop().time()
        fault = self._faults.pick("git")
        self._life.looks += 1
        again = self._faults.pick("again") if self._life.looks > 1 else ""
        if again:
            self._mirror.meddle(again)
        if fault == "git.unreachable":
            raise SourceError("the repository cannot be reached")
        lag = self._mirror.lag if not self._faults.off else 0.0
        revision = revision or self._mirror.fixed or None
        shown = revision or self._repository.at(now - lag - (900.0 if fault == "git.time-travel" else 0.0))
        window = within(self._mirror.shown, now)
        if window is not None and revision is None:
            shown = self._repository.heads[int(window.what)][1]
        if shown not in self._repository.commits:
            raise SourceError(f"there is no commit {shown!r} here")
        commit = self._repository.commits[shown]
        whole = fault != "git.unlisted"
        told = whole and not any(data == BROKEN for data in commit.broken.values())
        self._life.log(Told(self._life.label, shown, self._repository.head.revision, told, self._life.looks))
        missing = "files" if again == "again.half" else "" if whole else "list"
        return SimTree(commit, self._life, self._faults, missing)

    async def tip(self) -> str:
        """The head the mirror shows."""
        self._life.touch("tip")
        if self._mirror.fixed:
            return self._mirror.fixed
        lag = self._mirror.lag if not self._faults.off else 0.0
        return self._repository.at(asyncio.get_running_loop().time() - lag)

    async def relations(self, revision: str, others: frozenset[str]) -> Mapping[str, Relation]:
        """By the parents of each commit, as far as they are known."""
        self._life.touch("relations")
        return {other: self._relation(revision, other) for other in sorted(others)}

    def _relation(self, revision: str, other: str) -> Relation:
        if revision == other:
            return Relation.SAME
        if other in self._repository.ancestors(revision):
            return Relation.AHEAD
        if revision in self._repository.ancestors(other):
            return Relation.BEHIND
        return Relation.APART if other in self._repository.commits else Relation.UNKNOWN

    async def landings(self, revision: str, since: str, paths: frozenset[str], most: int) -> Sequence[Landing]:
        """The commits of a first-parent history, the newest first."""
        self._life.touch("landings")
        return self._repository.landings(revision, since, paths, most)

    async def described(self, commits: frozenset[str]) -> Mapping[str, Landing]:  # noqa: ARG002 - the port's
        """Nothing: no page is looked at."""
        return {}

    async def identity(self) -> str | None:
        """Who the repository is."""
        return "example.com/models"

    async def close(self) -> None:
        """Nothing is held open."""

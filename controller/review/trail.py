"""A spec's name and a branch to the commits that made it ask for what it asks, and the pull requests they came from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from controller.engine.desire import Kept, read_desired
from controller.engine.downloads import Outside
from controller.errors import SourceError
from controller.plan.grants import ABSENT, INVALID, asked_by
from controller.plan.rules.removal import never_ran
from controller.ports import Landing, Opened, Relation
from controller.ports.code_host import CodeHost, Pull
from controller.state.desired import Desired, FromSpec
from controller.state.recorded import Record
from controller.threads import in_thread

_MOST_STEPS: Final = 50
_MOST_LANDINGS: Final = 2000
_MOST_AFTER: Final = 1000  # landings that are looked through for the rest of a rebased pull request
_AT_ONCE: Final = timedelta(minutes=2)  # a rebase merge commits all that it puts on a branch within seconds


@dataclass(frozen=True, slots=True)
class Step:
    """One landing that changed what a spec asks for, and a digest of what it asks since."""

    landing: Landing
    asked: str


class History:
    """What was asked for at each commit of the applied branch. Each commit is read once.

    Raises `SourceError` where the history is not here.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._facts = opened.ports.facts
        self._kept = Kept(opened.ports.cache)
        self._known: dict[str, Desired] = {}

    async def desired(self, commit: str) -> Desired:
        """All that one commit asks for."""
        if commit not in self._known:
            tree = await self._opened.ports.source.tree(commit)
            outside = Outside(self._opened.ports.downloads)  # what an old commit named is not worth fetching
            given = (tree, self._opened.settings, self._facts, self._kept, outside)
            self._known[commit] = await in_thread(read_desired, *given)
        return self._known[commit]

    async def steps(self, revision: str, names: Sequence[str], record: Record | None) -> tuple[Step, ...]:
        """The landings that changed what a name asks for, the newest first, back to what was acted on last.

        ``names`` are the spec's own name and those it had. Where nothing changed since then, it is the one landing that
        brought it. Raises `SourceError` where that cannot be told.
        """
        acted = record.asked if record else ""
        now = asked_by(await self.desired(revision), names)
        found: list[Step] = []
        async for landing, before, after in self._changes(revision, names, record):
            there = await self._was_there(record, landing)
            if found and there:
                break
            found.append(Step(landing, after))
            if there or acted in {before, now} or len(found) == _MOST_STEPS:
                break
        return tuple(found)

    async def _changes(
        self, revision: str, names: Sequence[str], record: Record | None
    ) -> AsyncIterator[tuple[Landing, str, str]]:
        """Every landing that changed what a name asks for, with what it asked before and after.

        Only those are looked at that touched its files. Where one turns out to have changed it without, some file is
        not known (a spec that was moved and then removed), and all of them are.
        """
        paths = await self._paths(revision, names) | await self._paths_then(record, names)
        at, asked, everything = revision, asked_by(await self.desired(revision), names), False
        since = asked  # what it asks since the landing that is looked for
        for _ in range(_MOST_LANDINGS):
            landings = await self._opened.ports.source.landings(at, "", frozenset() if everything else paths, 1)
            after = asked_by(await self.desired(landings[0].commit), names) if landings else ABSENT
            if after != asked and not everything:
                everything = True
                continue
            if not landings:
                return
            (landing,) = landings
            before = asked_by(await self.desired(landing.parent), names) if landing.parent else ABSENT
            paths |= await self._paths(landing.parent, names) if landing.parent else frozenset()
            if INVALID not in {before, after}:
                if before != after:
                    yield landing, before, after
                since = before
            elif await self._touches(landing, paths):  # what cannot be read may have been changed
                yield landing, before, since
                since = before
            if not landing.parent:
                return
            at, asked = landing.parent, before
        raise SourceError(f"the history of {names[0]} is longer than Gitune looks back", hint="Order it by hand.")

    async def _touches(self, landing: Landing, paths: frozenset[str]) -> bool:
        """Whether a landing changed one of these files; else only what could be read beside them is another."""
        if not landing.parent:
            return True
        return bool(await self._opened.ports.source.landings(landing.commit, landing.parent, paths, 1))

    async def _was_there(self, record: Record | None, landing: Landing) -> bool:
        """Whether an old record, which does not say what was acted on, had this landing in its history then."""
        if record is None or record.asked or not record.attempted or never_ran(record):
            return False
        relations = await self._opened.ports.source.relations(record.attempted, frozenset({landing.commit}))
        return relations[landing.commit] in {Relation.AHEAD, Relation.SAME}

    async def _paths(self, commit: str, names: Sequence[str]) -> frozenset[str]:
        """The files that decide what a name asks for at a commit: its spec, its data, those of what it is tuned on."""
        desired = await self.desired(commit)
        specs = {model.name: model for model in desired.models}
        broken = {model.name: model for model in desired.invalid}
        paths: set[str] = set()
        left, seen = list(names), set[str]()
        while left:
            name = left.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in broken:
                paths |= {broken[name].place.file, *(problem.file for problem in broken[name].problems)}
            if (model := specs.get(name)) is not None:
                paths |= {model.place.file, model.dataset.path}
                if isinstance(model.base, FromSpec):
                    left.append(model.base.name)
        return frozenset(path for path in paths if "://" not in path)  # data at a uri is pinned in its spec

    async def _paths_then(self, record: Record | None, names: Sequence[str]) -> frozenset[str]:
        """The same at the commit that was acted on last: a spec that is gone names no file any more."""
        if record is None or not record.attempted:
            return frozenset()
        try:
            return await self._paths(record.attempted, names)
        except SourceError:
            return frozenset()


@dataclass
class Origins:
    """The pull requests, merged into a branch, that its commits came from. Each is asked for once."""

    host: CodeHost
    opened: Opened
    branch: str
    revision: str
    _known: dict[str, tuple[Pull, ...]] = field(default_factory=dict)

    async def of(self, landing: Landing) -> tuple[Pull, ...]:
        """Those of one landing; none where it was pushed without one. Raises `CodeHostError`, `SourceError`."""
        if landing.commit not in self._known:
            self._known[landing.commit] = await self._merged(landing.commit) or await self._rebased(landing)
        return self._known[landing.commit]

    async def _merged(self, commit: str) -> tuple[Pull, ...]:
        found = await self.host.pulls_of(commit)
        return tuple(pull for pull in found if pull.merged and pull.base_branch == self.branch)

    async def _rebased(self, landing: Landing) -> tuple[Pull, ...]:
        """A rebase merge makes new commits, and a host may tie only the last of them to its pull request."""
        after = await self.opened.ports.source.landings(self.revision, landing.commit, frozenset(), _MOST_AFTER)
        for later in reversed(after):
            if not _at_once(landing.landed, later.landed):
                return ()
            if pulls := await self._merged(later.commit):
                return tuple([pull for pull in pulls if await self._has(pull, landing)])
        return ()

    async def _has(self, pull: Pull, landing: Landing) -> bool:
        """Whether one of its commits says the same: a rebase leaves author, time and message as they were."""
        wrote = await self.host.commits_of(pull.number)
        return any(
            (one.author, one.message) == (landing.author, landing.message) and _same_time(one.at, landing.at)
            for one in wrote
        )


def _at_once(first: str, second: str) -> bool:
    one, other = moment(first), moment(second)
    return one is not None and other is not None and abs(other - one) <= _AT_ONCE


def _same_time(first: str, second: str) -> bool:
    one, other = moment(first), moment(second)
    return one is not None and one == other


def moment(text: str) -> datetime | None:
    """An RFC 3339 time; None for any other text."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None

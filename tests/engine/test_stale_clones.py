"""Who has not fetched must not undo what others did: clones with real git and one ledger, and passes that race."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from controller.engine import commands
from controller.engine.reconcile import Approval, Refused, reconcile
from controller.ports import Ports
from controller.source.repo import CommitSource
from controller.state.recorded import Record
from controller.testing import MemoryLedger
from tests.engine.stage import Stage, rows, spec_text
from tests.git.repositories import Work, clone, new_work

DAY = 86_400
BEHIND = Approval(allow=frozenset({"behind"}))


def epochs(count: int, name: str = "numbers") -> dict[str, str]:
    return {f"specs/{name}.yaml": spec_text(name, hyperparameters=f"{{epochCount: {count}}}")}


@dataclass
class Clones:
    """A repository that a daemon follows, and clones of it; all passes share the provider and the ledger."""

    folder: Path
    stack: AsyncExitStack
    stage: Stage = field(default_factory=Stage)
    sources: dict[Path, CommitSource] = field(default_factory=dict)

    @property
    def work(self) -> Work:
        return Work(self.folder / "work")

    def cloned(self, name: str) -> Work:
        clone(self.work.root, self.folder / name)
        return Work(self.folder / name)

    async def step(self, at: Work, approval: Approval | None = None) -> list[tuple[str, str]]:
        """One pass on the HEAD of a clone; what was decided, by name and word."""
        done = await reconcile(self.ports(at), self.stage.settings, approval or Approval())
        return [(outcome.action.name, outcome.action.word) for outcome in done.outcomes]

    def ports(self, at: Work) -> Ports:
        if at.root not in self.sources:
            self.sources[at.root] = CommitSource(at.root, self.folder / "home")
            self.stack.push_async_callback(self.sources[at.root].close)
        return replace(self.stage.ports, source=self.sources[at.root])

    async def tuned(self, files: dict[str, str]) -> str:
        """A commit of the work, whose runs all serve; its id."""
        commit = self.work.commit(files)
        await self.step(self.work)
        self.stage.provider.finish()
        await self.step(self.work)
        return commit


@pytest.fixture
async def clones(tmp_path: Path) -> AsyncIterator[Clones]:
    async with AsyncExitStack() as stack:
        new_work(tmp_path / "work").commit({"specs/rows.jsonl": rows()})
        yield Clones(tmp_path, stack)


async def test_a_clone_that_has_not_fetched_what_was_acted_on_cancels_nothing(clones: Clones) -> None:
    await clones.tuned(epochs(1))
    laptop = clones.cloned("laptop")
    newer = clones.work.commit(epochs(2))
    assert await clones.step(clones.work) == [("numbers", "retune")]
    with pytest.raises(Refused, match=f"does not have commit {newer}, which an earlier pass acted on") as refused:
        await clones.step(laptop)
    assert refused.value.hint == (
        "`git fetch` and merge; only a commit lost to a forced push is not there to fetch. "
        "If that is meant: --allow behind"
    )
    laptop.git("fetch", "-q")
    with pytest.raises(Refused, match="is older than a commit that was acted on"):
        await clones.step(laptop)
    laptop.git("merge", "-q", "origin/main")
    assert await clones.step(laptop) == [("numbers", "wait")]


async def test_a_clone_that_has_not_fetched_may_record_what_it_sees_and_stays_behind(clones: Clones) -> None:
    await clones.tuned(epochs(1))
    laptop = clones.cloned("laptop")
    newer = clones.work.commit(epochs(1) | epochs(1, "other"))
    assert ("other", "create") in await clones.step(clones.work)
    laptop.commit(epochs(1, "other"))  # the same by chance
    assert await clones.step(laptop) == [("numbers", "none"), ("other", "wait")]
    assert clones.stage.ledger.records["other"].attempted == newer


async def test_a_commit_lost_to_a_forced_push_is_let_go_by_one_word_for_every_record(clones: Clones) -> None:
    first = await clones.tuned(epochs(1) | epochs(1, "other"))
    base = clones.work.git("rev-parse", "HEAD~1")
    clones.work.git("reset", "-q", "--soft", base)
    clones.work.commit(epochs(2), "another history")
    fresh = clones.cloned("fresh")
    with pytest.raises(Refused, match=first):
        await clones.step(fresh)
    assert await clones.step(fresh, BEHIND) == [("numbers", "retune"), ("other", "none")]
    head = fresh.git("rev-parse", "HEAD")
    assert {record.attempted for record in clones.stage.ledger.records.values()} == {head}
    clones.stage.provider.finish()
    assert ("numbers", "promote") in await clones.step(fresh)
    fresh.commit(epochs(3, "other"))
    assert ("other", "retune") in await clones.step(fresh)


async def test_a_tombstone_of_a_commit_that_is_not_here_stands_and_is_not_due(clones: Clones) -> None:
    spec = spec_text(deletionPolicy="Delete")
    await clones.tuned({"specs/numbers.yaml": spec} | epochs(1, "other"))
    clones.work.git("rm", "-q", "specs/numbers.yaml")
    doomed = clones.work.commit({})
    assert ("numbers", "hold") in await clones.step(clones.work)
    stale = clones.cloned("stale")
    stale.git("reset", "-q", "--hard", "HEAD~1")
    stale.git("update-ref", "-d", "refs/remotes/origin/main")
    stale.git("reflog", "expire", "--expire=now", "--all")
    stale.git("rm", "-q", "specs/numbers.yaml")
    (stale.root / ".git" / "ORIG_HEAD").unlink()
    stale.commit({}, "the same by another commit")
    stale.git("gc", "-q", "--prune=now")
    clones.stage.clock.advance(2 * DAY)
    await commands.approve_delete(clones.ports(clones.work), "numbers")
    before = clones.stage.ledger.records["numbers"]
    assert ("numbers", "hold") in await clones.step(stale)
    assert clones.stage.ledger.records["numbers"] == before
    assert before.active is not None
    assert before.active.tombstone_revision == doomed
    # A person says that the commit is gone for good: the grace period begins anew, as after any forced push.
    assert ("numbers", "hold") in await clones.step(stale, BEHIND)
    anew = clones.stage.ledger.records["numbers"]
    assert anew.active is not None
    assert (anew.active.tombstone_revision, anew.delete_approved) == (stale.git("rev-parse", "HEAD"), False)
    clones.stage.clock.advance(2 * DAY)
    assert ("numbers", "delete") in await clones.step(stale)


async def test_a_clone_that_lacks_the_newer_commit_does_not_bring_the_policy_to_delete_back(clones: Clones) -> None:
    deleted = {"specs/numbers.yaml": spec_text(deletionPolicy="Delete"), **epochs(1, "other")}
    await clones.tuned({**deleted, "specs/rows.jsonl": rows()})
    laptop = clones.cloned("laptop")
    clones.work.commit({"specs/numbers.yaml": spec_text()})
    await clones.step(clones.work)

    assert await clones.step(laptop) == [("numbers", "none"), ("other", "none")]
    clones.work.git("rm", "-q", "specs/numbers.yaml")
    clones.work.commit({})

    assert ("numbers", "orphan") in await clones.step(clones.work)
    clones.stage.clock.advance(2 * DAY)
    await clones.step(clones.work)
    assert [call.operation for call in clones.stage.provider.mutations].count("delete") == 0


class _Overtaken(MemoryLedger):
    """Something happens right before its first save."""

    def __init__(self, records: Mapping[str, Record], meanwhile: Callable[[], Awaitable[None]]) -> None:
        super().__init__(records)
        self._meanwhile: Callable[[], Awaitable[None]] | None = meanwhile

    async def save(self, records: Mapping[str, Record], tip: str | None, message: str) -> str | None:
        """As it is, after that."""
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return await super().save(records, tip, message)


async def test_a_pass_that_lost_the_race_against_a_newer_commit_does_not_put_its_own_before_it() -> None:
    """The spec goes, comes back and goes again: the middle pass sees its record overtaken by the last one."""
    stage = Stage()
    spec = {"specs/numbers.yaml": spec_text(deletionPolicy="Delete"), **epochs(1, "other")}
    stage.source.edit(spec)
    for _ in range(2):
        await stage.step()
    stage.source.edit({"specs/numbers.yaml": None})
    await stage.step()
    assert stage.ledger.records["numbers"].missing
    middle = stage.source.edit(spec)
    last = stage.source.edit({"specs/numbers.yaml": None})

    async def meanwhile() -> None:
        stage.source.reset(last)
        for _ in range(2):
            await stage.step()
        await commands.approve_delete(stage.ports, "numbers")
        for _ in range(2):
            await stage.step()
        stage.source.reset(middle)

    stage.ledger = _Overtaken(stage.ledger.records, meanwhile)
    stage.source.reset(middle)
    assert ("numbers", "wait") in await stage.step()
    assert stage.ledger.records["numbers"].attempted == last
    paid = stage.provider.paid.total()
    with pytest.raises(Refused, match="is older than a commit that was acted on"):
        await stage.step()
    assert stage.provider.paid.total() == paid

"""The same commits, moves and looks give the same answers from real git, the source in memory and the simulated one."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from controller.errors import SourceError, Unreadable
from controller.ports import EntryKind, Relation, Source, Tree
from controller.source.repo import CommitSource
from controller.testing import MemorySource
from tests.equivalence.calm import Calm
from tests.equivalence.pace import hold, pace
from tests.git.repositories import Work, new_work
from tests.simulation.repository import invalid_spec, unreadable_spec
from tests.simulation.wishes import Wish

_MODES = {EntryKind.FILE: "100644", EntryKind.SYMLINK: "120000", EntryKind.SUBMODULE: "160000"}
_SUBMODULE = "a" * 40
_PATHS = ("README.md", "specs/a.yaml", "specs/rows.jsonl", "specs/deep/b.yaml", "sprüche/ä.yaml", "two words", "specs")
_PROBES = (*_PATHS, "specs/deep", "specs/a.yaml/below", "two words/below/it", "nowhere", "specs/nowhere", "Readme.md")
_LARGE = 10**6


@dataclass(frozen=True, slots=True)
class Revision:
    """One commit under each one's own name for it, and the files in it."""

    real: str
    memory: str
    simulated: str
    files: Mapping[str, bytes]


class Real:
    """A repository that git itself writes."""

    def __init__(self, folder: Path, runner: asyncio.Runner) -> None:
        self.work: Work = new_work(folder / "work")
        self.runner = runner
        self.source = CommitSource(self.work.root, folder / "home")
        self._number = 0

    def commit(self, files: Mapping[str, bytes], kinds: Mapping[str, EntryKind], parent: str) -> str:
        """Exactly these files on that parent, taking the branch; git writes the objects and moves the ref."""
        self._number += 1
        lines = [
            b"commit refs/heads/main\n",
            b"committer A <a@example.com> 1767225600 +0000\n",
            _data(f"change {self._number}".encode()),
            f"from {parent}\n".encode() if parent else b"",
            b"deleteall\n",
            *(_file(path, content, kinds.get(path, EntryKind.FILE)) for path, content in files.items()),
        ]
        asked = ["git", "fast-import", "--quiet", "--force"]
        subprocess.run(asked, cwd=self.work.root, input=b"".join(lines), check=True, capture_output=True)
        return self.work.git("rev-parse", "refs/heads/main")


def _data(content: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(content), content)


def _file(path: str, content: bytes, kind: EntryKind) -> bytes:
    if kind is EntryKind.SUBMODULE:
        return f'M {_MODES[kind]} {_SUBMODULE} "{path}"\n'.encode()
    return f'M {_MODES[kind]} inline "{path}"\n'.encode() + _data(content)


class Histories(RuleBasedStateMachine):
    """What both machines share: the moves of a branch, and everything that can be asked."""

    def __init__(self, folder: Path, runner: asyncio.Runner) -> None:
        super().__init__()
        folder.mkdir()
        self.real = Real(folder, runner)
        self.runner = runner
        self.memory = MemorySource()
        self.calm = Calm()
        self.simulated: Source = self.calm.source()
        self.revisions: list[Revision] = []
        self.head = -1

    def teardown(self) -> None:
        """End what reads objects."""
        self.runner.run(self.real.source.close())
        self.calm.__exit__(None, None, None)

    def looks(self) -> dict[str, Tree]:
        """The tree that each follows."""
        return {
            "real": self.runner.run(self.real.source.tree()),
            "memory": self.runner.run(self.memory.tree()),
        }

    @precondition(lambda self: self.head >= 0)
    @invariant()
    def the_head_is_the_same(self) -> None:
        """The followed revision, and the tip of each."""
        revision = self.revisions[self.head]
        for name, tree in self.looks().items():
            assert tree.revision == getattr(revision, name)
        assert self.runner.run(self.real.source.tip()) == revision.real
        assert self.runner.run(self.memory.tip()) == revision.memory

    @precondition(lambda self: self.revisions)
    @rule(data=st.data())
    def one_looks_at_a_revision(self, data: st.DataObject) -> None:
        """Entries, bytes, refusals of any commit that was ever made."""
        revision = data.draw(st.sampled_from(self.revisions))
        limit = data.draw(st.sampled_from([_LARGE, 8]))
        seen = {
            "real": _seen(self.runner.run(self.real.source.tree(revision.real)), limit),
            "memory": _seen(self.runner.run(self.memory.tree(revision.memory)), limit),
        }
        if revision.simulated:
            tree = self.calm.run(self.simulated.tree(revision.simulated))
            seen["simulated"] = _seen(tree, limit)
        assert len({repr(one) for one in seen.values()}) == 1, seen

    @precondition(lambda self: self.revisions)
    @rule(data=st.data())
    def one_asks_how_commits_stand(self, data: st.DataObject) -> None:
        """One revision against all of them, and against one that nobody knows."""
        index = data.draw(st.integers(0, len(self.revisions) - 1))
        answers = {
            "real": self._relations(self.runner, self.real.source, "real", index),
            "memory": self._relations(self.runner, self.memory, "memory", index),
        }
        if all(one.simulated for one in self.revisions):
            answers["simulated"] = self._relations(self.calm, self.simulated, "simulated", index)
        assert len({repr(one) for one in answers.values()}) == 1, answers

    def _relations(self, runner: asyncio.Runner | Calm, source: Source, name: str, index: int) -> list[Relation]:
        unknown = "f" * 40
        names = [getattr(revision, name) for revision in self.revisions] + [unknown]
        found = runner.run(source.relations(names[index], frozenset(names)))
        assert set(found) == set(names)
        return [found[one] for one in names]

    @precondition(lambda self: self.revisions)
    @rule(data=st.data(), hard=st.booleans())
    def somebody_forces_the_branch(self, data: st.DataObject, hard: bool) -> None:  # noqa: FBT001 - drawn
        """To any commit that was ever made."""
        self.head = data.draw(st.integers(0, len(self.revisions) - 1))
        revision = self.revisions[self.head]
        words = ("reset", "-q", "--soft") if hard else ("update-ref", "refs/heads/main")
        self.real.work.git(*words, revision.real)
        self.memory.reset(revision.memory)
        if revision.simulated:
            self.calm.repository.force(revision.simulated, self.calm.loop.time())

    @precondition(lambda self: self.revisions)
    @rule()
    def git_packs_what_it_has(self) -> None:
        """Objects and refs move into packs; nobody may see a difference."""
        self.real.work.git("repack", "-adkq")
        self.real.work.git("pack-refs", "--all")

    @rule()
    def one_asks_for_what_was_never_made(self) -> None:
        """A revision that nobody knows is an error of the source everywhere."""
        for source in (self.real.source, self.memory):
            with pytest.raises(SourceError):
                self.runner.run(source.tree("f" * 40))
        with pytest.raises(SourceError):
            self.calm.run(self.simulated.tree("f" * 40))

    @precondition(lambda self: not self.revisions)
    @rule()
    def one_looks_before_the_first_commit(self) -> None:
        """There is no tree yet."""
        for source in (self.real.source, self.memory):
            with pytest.raises(SourceError):
                self.runner.run(source.tree())


def _seen(tree: Tree, limit: int) -> tuple[list[str], dict[str, bytes | str]]:
    entries = [repr(entry) for entry in tree.entries()]

    def read(path: str) -> bytes | str:
        try:
            return tree.read(path, limit)
        except Unreadable as error:
            return error.code

    return entries, {path: read(path) for path in _PROBES}


class Files(Histories):
    """Any files: text and bytes, links and submodules, names that are not plain."""

    @rule(data=st.data(), onto=st.sampled_from(["head", "older", "nothing"]))
    def somebody_commits(self, data: st.DataObject, onto: str) -> None:
        """An edit of the head, a branch that starts elsewhere, or a history that begins anew."""
        base = self.head
        if onto == "older" and self.revisions:
            base = data.draw(st.integers(0, len(self.revisions) - 1))
        parent = self.revisions[base] if base >= 0 and onto != "nothing" else None
        files = dict(parent.files) if parent else {}
        kinds: dict[str, EntryKind] = {}
        for path in data.draw(st.lists(st.sampled_from(_PATHS), max_size=3, unique=True)):
            _put(files, path, data.draw(st.none() | st.binary(max_size=12)))
        for path in data.draw(st.lists(st.sampled_from(sorted(files) or [""]), max_size=2, unique=True)):
            if path:
                kinds[path] = data.draw(st.sampled_from([EntryKind.SYMLINK, EntryKind.SUBMODULE]))
                files[path] = b"" if kinds[path] is EntryKind.SUBMODULE else b"specs/a.yaml"
        real = self.real.commit(files, kinds, parent.real if parent else "")
        self.memory.head = parent.memory if parent else None
        memory = self.memory.commit(files, kinds=kinds)
        self.revisions.append(Revision(real, memory, "", files))
        self.head = len(self.revisions) - 1


def _put(files: dict[str, bytes], path: str, content: bytes | None) -> None:
    """As git has it: a file takes the place of a folder, and a folder that of a file."""
    for other in list(files):
        if other == path or other.startswith(f"{path}/") or path.startswith(f"{other}/"):
            del files[other]
    if content is not None:
        files[path] = content


class Wishes(Histories):
    """What the simulation's people commit, with the same bytes put into real git."""

    def __init__(self, folder: Path, runner: asyncio.Runner) -> None:
        super().__init__(folder, runner)
        self.wishes: list[tuple[dict[str, Wish], dict[str, bytes]]] = []

    def looks(self) -> dict[str, Tree]:
        """The simulated mirror's, too."""
        assert self.calm.run(self.simulated.tip()) == self.revisions[self.head].simulated
        return super().looks() | {"simulated": self.calm.run(self.simulated.tree())}

    @initialize()
    def the_first_commit(self) -> None:
        """One spec."""
        self._commit({"a": Wish("a", "a")}, {}, -1)

    @rule(
        name=st.sampled_from("ab"),
        what=st.sampled_from(["add", "remove", "epochs", "rows", "move", "text", "break", "spoil", "mend"]),
        data=st.data(),
    )
    def somebody_commits(self, name: str, what: str, data: st.DataObject) -> None:
        """One edit, on the head or on an older commit."""
        base = data.draw(st.sampled_from([self.head, data.draw(st.integers(0, len(self.revisions) - 1))]))
        wishes, broken = dict(self.wishes[base][0]), dict(self.wishes[base][1])
        wish = wishes.get(name, Wish(name, name))
        match what:
            case "remove":
                wishes.pop(name, None)
                broken.pop(name, None)
            case "break" | "spoil":
                wishes[name] = wish
                broken[name] = unreadable_spec() if what == "break" else invalid_spec(wish)
            case "mend":
                broken.pop(name, None)
            case _:
                wishes[name] = _edited(wish, what)
        self._commit(wishes, broken, base)

    def _commit(self, wishes: dict[str, Wish], broken: dict[str, bytes], base: int) -> None:
        repository, now = self.calm.repository, self.calm.loop.time()
        parent = self.revisions[base] if base >= 0 else None
        if base == self.head:
            made = repository.commit(wishes, broken, now)
        else:
            made = repository.rewrite(wishes, broken, parent.simulated if parent else "", now)
        real = self.real.commit(made.files, {}, parent.real if parent else "")
        self.memory.head = parent.memory if parent else None
        self.revisions.append(Revision(real, self.memory.commit(made.files), made.revision, made.files))
        self.wishes.append((wishes, broken))
        self.head = len(self.revisions) - 1


def _edited(wish: Wish, what: str) -> Wish:
    match what:
        case "epochs":
            return replace(wish, epochs=wish.epochs + 1)
        case "rows":
            return replace(wish, rows=wish.rows + 1)
        case "move":
            return replace(wish, file=f"deep/{wish.name}")
        case "text":
            return replace(wish, description="Says the next number.")
        case _:
            return wish


def test_real_git_and_the_source_in_memory_tell_the_same_of_any_files(tmp_path: Path) -> None:
    numbers = count()
    with asyncio.Runner() as runner:
        hold(lambda: Files(tmp_path / str(next(numbers)), runner), pace(12, 12))


def test_real_git_and_the_simulated_repository_tell_the_same_of_what_people_commit(tmp_path: Path) -> None:
    numbers = count()
    with asyncio.Runner() as runner:
        hold(lambda: Wishes(tmp_path / str(next(numbers)), runner), pace(8, 12))

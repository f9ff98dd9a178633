"""Two writers on each kind of ledger: the same saves win, the same lose, the same is read back, in all of them."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Coroutine, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from controller.errors import RevisionConflict
from controller.ledger.directory import DirectoryLedger
from controller.ledger.opening import open_ledger
from controller.ledger.rendering import bounded
from controller.ports import Ledger
from controller.settings import LedgerSettings
from controller.state.recorded import Record, Recorded
from controller.testing import MemoryLedger
from tests.equivalence.calm import Calm
from tests.equivalence.pace import hold, pace
from tests.git.repositories import Work, new_work
from tests.ledger.records import counted, now, record
from tests.simulation.events import Saved

BRANCH = "gitune-status"
WRITERS = (0, 1)
_CONFLICT = "conflict"
_T = TypeVar("_T")

Records = Mapping[str, Record]


class Kind(Protocol):
    """One kind of ledger: its two writers, and what happens to it behind their backs."""

    @property
    def writers(self) -> tuple[Ledger, Ledger]:
        """Two doors to the one record."""
        ...

    def writes(self) -> object:
        """Something that changes with every write and with nothing else."""
        ...

    def keep(self) -> object:
        """The state of it now, to be forced back to later."""
        ...

    def force(self, kept: object) -> None:
        """Somebody puts it back to an earlier state."""
        ...

    def vanish(self) -> None:
        """Somebody takes it away."""
        ...


class OnBranch:
    """A branch of a bare repository, reached by its path; each writer has a data folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._bare: Work = new_work(folder / "bare", "--bare")
        self._ref = f"refs/heads/{BRANCH}"
        settings = LedgerSettings(branch=BRANCH, remote=str(self._bare.root))
        first, second = (open_ledger(settings, folder, folder / f"home-{n}", now, {}) for n in WRITERS)
        self.writers = (first, second)

    def writes(self) -> object:
        """What the ref says."""
        return self._bare.git("for-each-ref", "--format=%(objectname)", self._ref)

    keep = writes

    def force(self, kept: object) -> None:
        """As `git push --force` leaves it."""
        if kept:
            self._bare.git("update-ref", self._ref, str(kept))
        else:
            self.vanish()

    def vanish(self) -> None:
        """As `git push --delete` leaves it."""
        self._bare.git("update-ref", "-d", self._ref)


class InDirectory:
    """A directory that both writers share."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "directory"
        self._folder = folder
        self._copies = count()
        self.writers = (DirectoryLedger(self._path), DirectoryLedger(self._path))

    def writes(self) -> object:
        """Which files there are, and which inode each is: every one that is written is a new one."""
        return sorted(
            (str(p), p.stat().st_ino) for p in self._path.rglob("*") if p.is_file() and not p.name.startswith(".")
        )

    def keep(self) -> object:
        """A copy beside it."""
        copy = self._folder / f"copy-{next(self._copies)}"
        if self._path.is_dir():
            shutil.copytree(self._path, copy)
        return copy

    def force(self, kept: object) -> None:
        """The copy takes its place."""
        self.vanish()
        if isinstance(kept, Path) and kept.is_dir():
            shutil.copytree(kept, self._path)

    def vanish(self) -> None:
        """Nothing is left of it."""
        shutil.rmtree(self._path, ignore_errors=True)


class InMemory:
    """The ledger that tests stand on."""

    def __init__(self) -> None:
        self._ledger = MemoryLedger()
        self.writers = (self._ledger, self._ledger)

    def writes(self) -> object:
        """How often it was written."""
        return len(self._ledger.messages)

    def keep(self) -> object:
        """Its tip."""
        return self._ledger.version

    def force(self, kept: object) -> None:
        """Back to that version."""
        self._ledger.reset(kept if isinstance(kept, str) else None)

    def vanish(self) -> None:
        """Back to before the first."""
        self._ledger.reset(None)


class Simulated:
    """The simulation's, on a loop of its own."""

    def __init__(self, calm: Calm) -> None:
        self._calm = calm
        first, second = (calm.ledger(f"writer-{n}") for n in WRITERS)
        self.writers = (first, second)

    def writes(self) -> object:
        """The versions that became durable."""
        return sum(isinstance(event, Saved) and not event.same for event in self._calm.events)

    def keep(self) -> object:
        """The version."""
        return self._calm.place.now

    def force(self, kept: object) -> None:
        """Forced back."""
        self._calm.place.now = kept if kept in self._calm.place.versions else None

    def vanish(self) -> None:
        """The ref is gone."""
        self._calm.place.vanish()


class Writers(RuleBasedStateMachine):
    """What two controllers, and somebody with a shell, do to a ledger.

    A branch, the memory and the simulation tell versions apart, a directory only contents: a save on top of an old
    load whose files are there again is refused by the first three, and by a directory it is not.
    """

    def __init__(self, folder: Path, runner: asyncio.Runner) -> None:
        super().__init__()
        folder.mkdir()
        self.runner = runner
        self.calm = Calm()
        self.kinds: dict[str, Kind] = {
            "branch": OnBranch(folder),
            "directory": InDirectory(folder),
            "memory": InMemory(),
            "simulated": Simulated(self.calm),
        }
        self.loaded: dict[int, dict[str, Recorded]] = {n: self._load(n) for n in WRITERS}
        self.kept: list[dict[str, object]] = []
        self._numbers: Iterator[int] = count(1)

    def teardown(self) -> None:
        """Let go of the loop."""
        self.calm.__exit__(None, None, None)

    @rule(writer=st.sampled_from(WRITERS))
    def one_loads(self, writer: int) -> None:
        """What it reads is what it will save on top of."""
        self.loaded[writer] = self._load(writer)

    @rule(
        writer=st.sampled_from(WRITERS),
        name=st.sampled_from(["alpha", "beta-2"]),
        what=st.sampled_from(["count", "count", "runs", "remove", "same", "empty"]),
        data=st.data(),
    )
    def one_saves(self, writer: int, name: str, what: str, data: st.DataObject) -> None:
        """On top of what it loaded last, however long ago that was."""
        records = dict(self.loaded[writer]["branch"].records)
        match what:
            case "count":
                records[name] = counted(name, next(self._numbers))
            case "runs":
                records[name] = record(name, data.draw(st.sampled_from([1, 2, 12])))
            case "remove":
                records.pop(name, None)
            case "empty":
                records.clear()
            case _:
                pass
        self._save(writer, records, "records" if what != "same" else "nothing new")

    @rule(writer=st.sampled_from(WRITERS))
    def one_writes_again_what_is_there(self, writer: int) -> None:
        """Load and save the same: nobody writes anything."""
        self.one_loads(writer)
        before = {name: kind.writes() for name, kind in self.kinds.items()}
        self._save(writer, self.loaded[writer]["branch"].records, "nothing new")
        assert {name: kind.writes() for name, kind in self.kinds.items()} == before

    @rule()
    def somebody_remembers_where_it_stands(self) -> None:
        """For a forced move later."""
        self.kept.append({name: kind.keep() for name, kind in self.kinds.items()})

    @precondition(lambda self: self.kept)
    @rule(data=st.data())
    def somebody_forces_it(self, data: st.DataObject) -> None:
        """To a state that it had before."""
        kept = data.draw(st.sampled_from(range(len(self.kept))))
        for name, kind in self.kinds.items():
            kind.force(self.kept[kept][name])

    @rule()
    def it_vanishes(self) -> None:
        """The ref is deleted, the directory removed."""
        for kind in self.kinds.values():
            kind.vanish()

    @invariant()
    def all_read_the_same(self) -> None:
        """The records; a tip that is the one of a load; and whether there is a record at all."""
        for writer in WRITERS:
            seen = self._load(writer)
            assert all(dict(one.records) == dict(seen["branch"].records) for one in seen.values()), seen
            for name, kind in self.kinds.items():
                assert self._run(name, kind.writers[writer].tip()) == seen[name].tip
            # Of an emptied record a directory keeps no trace, which the others do: their history goes on.
            exists = {name: one.tip is not None for name, one in seen.items() if name != "directory"}
            assert len(set(exists.values())) == 1, exists
            assert (seen["directory"].tip is not None) == bool(seen["directory"].records)

    def _save(self, writer: int, records: Records, message: str) -> None:
        current = self._load(writer)
        stale = {name: current[name].tip != self.loaded[writer][name].tip for name in self.kinds}
        answers = {}
        for name, kind in self.kinds.items():
            wanted = records
            if stale["branch"] and not stale[name]:
                assert name == "directory"
                wanted = current[name].records  # the same contents again: let it write what is there
            before, tip = kind.writes(), self.loaded[writer][name].tip
            answers[name] = self._answer(name, kind.writers[writer], wanted, tip, message)
            if answers[name] == _CONFLICT or dict(wanted) == dict(current[name].records):
                assert kind.writes() == before, name
        expected = _CONFLICT if stale["branch"] else "saved"
        assert {n: a for n, a in answers.items() if stale[n] == stale["branch"]} == dict.fromkeys(
            [n for n in self.kinds if stale[n] == stale["branch"]], expected
        ), answers
        if expected == "saved":
            after = self.loaded[writer] = self._load(writer)
            kept = {name: bounded(one) for name, one in records.items()}
            assert all(dict(one.records) == kept for one in after.values()), after

    def _answer(self, name: str, ledger: Ledger, records: Records, tip: str | None, message: str) -> str:
        async def save() -> tuple[str, str | None]:
            try:
                return "saved", await ledger.save(records, tip, message)
            except RevisionConflict:
                return _CONFLICT, tip

        said, new = self._run(name, save())
        if said == "saved":
            assert new == self._run(name, ledger.tip())
        return said

    def _load(self, writer: int) -> dict[str, Recorded]:
        return {name: self._run(name, kind.writers[writer].load()) for name, kind in self.kinds.items()}

    def _run(self, name: str, work: Coroutine[Any, Any, _T]) -> _T:
        return self.calm.run(work) if name == "simulated" else self.runner.run(work)


def test_every_ledger_lets_the_same_writer_win(tmp_path: Path) -> None:
    numbers = count()
    with asyncio.Runner() as runner:
        hold(lambda: Writers(tmp_path / str(next(numbers)), runner), pace(8, 12))

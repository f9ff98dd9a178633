"""A run as a folder in and out: what is to be trained, the events of the training, its checkpoints and its weights.

The server makes the folder and the number of the newest start in it; the trainer alone writes events, checkpoints and
weights. Whoever is killed at any moment leaves what the other can go on from: a step's event is there before the
checkpoint that holds the step, and weights and checkpoints are written aside, synced and renamed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from controller.server.log import now
from controller.server.models import RunHyperparameters, TrainingExample

_STANDSTILL_SIZE: Final = 512  # bytes of the page in which a trainer says why it stands still
_READ_AT_MOST: Final = 2**20  # bytes of events at a time
_CHECKPOINT: Final = re.compile(r"(\d{6})-(\d{9})")  # start and step
_ASIDE: Final = ".aside"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDescription:
    """What is trained, all resolved: run.json. ``seed`` decides the order of the rows and all that is drawn."""

    engine: str
    model: str
    base: str
    digest: str
    hyperparameters: RunHyperparameters
    seed: int
    examples: int
    steps: int
    settings: dict[str, Any] = field(default_factory=dict)
    """What the engine alone understands."""


@dataclass(frozen=True, slots=True)
class Began:
    """The trainer of a start took over, after so many steps."""

    start: int
    step: int


@dataclass(frozen=True, slots=True)
class Stepped:
    """A step was taken."""

    start: int
    step: int
    epoch: int
    loss: float
    time: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The weights of this start are there, whole."""

    start: int


@dataclass(frozen=True, slots=True)
class Broken:
    """The training failed, for a reason that another start would meet again."""

    start: int
    message: str


Event: TypeAlias = Began | Stepped | Finished | Broken
_EVENTS: Final[dict[str, type[Event]]] = {"began": Began, "step": Stepped, "finished": Finished, "broken": Broken}
_WORDS: Final = {kind: word for word, kind in _EVENTS.items()}


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Up to which byte the events were read, and the highest start among them."""

    offset: int = 0
    start: int = 0


class Superseded(Exception):
    """A newer start of the run exists, or the run is gone: this one has to stop, and writes nothing more."""


class RunFolder:
    """The server's side of a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def make(self, description: RunDescription, rows: Sequence[TrainingExample], source: Path | None) -> None:
        """Writes what a run begins with; ``source`` are the weights that it begins from. Raises `OSError`.

        Written aside and renamed: a folder of this name is whole. It is its owner's alone, since it holds rows.
        """
        aside = self.path.with_name(self.path.name + _ASIDE)
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(mode=0o700, parents=True)
        write_synced(aside / "run.json", json.dumps(asdict(description), indent=1).encode())
        lines = (json.dumps({"textInput": row.text_input, "output": row.output}) + "\n" for row in rows)
        write_synced(aside / "rows.jsonl", "".join(lines).encode())
        write_synced(aside / "standstill", b"\0" * _STANDSTILL_SIZE)
        if source is not None:
            _copy(source, aside / "source")
        rename_synced(aside, self.path)

    def announce(self, start: int) -> None:
        """From now on this start may write, and no earlier one. Raises `OSError`."""
        aside = self.path / f"start{_ASIDE}"
        write_synced(aside, str(start).encode())
        rename_synced(aside, self.path / "start")

    def read(self, mark: Bookmark) -> tuple[list[Event], Bookmark]:
        """The whole events after the mark that count, a bounded number, and the mark after them.

        An event of an earlier start does not count once one of a later start was read: its writer was superseded. What
        is no event is what a kill or a full disk broke off; its start has written it again, or the next one will.
        """
        try:
            with (self.path / "events.jsonl").open("rb") as file:
                if os.fstat(file.fileno()).st_size < mark.offset:
                    mark = Bookmark()  # a power cut took the end; what is read twice is kept once
                file.seek(mark.offset)
                block = file.read(_READ_AT_MOST)
        except FileNotFoundError:
            return [], mark
        whole = block[: block.rfind(b"\n") + 1]
        counted, start = [], mark.start
        for line in whole.splitlines():
            event = _event(line)
            if event is not None and event.start >= start:
                start = event.start
                counted.append(event)
        return counted, Bookmark(mark.offset + len(whole), start)

    def checkpoint(self) -> int:
        """The step up to which the run is kept."""
        return _newest(self.path / "checkpoints")[1]

    def standstill(self) -> str:
        """Why the run stands still, as its trainer says; empty where it does not."""
        try:
            return (self.path / "standstill").read_bytes().rstrip(b"\0").decode(errors="replace")
        except OSError:
            return ""

    def publish(self, start: int, target: Path) -> None:
        """Moves the finished weights of a start to their place; done already is done. Raises `OSError`."""
        final = self.path / "final" / str(start)
        if final.exists():
            discard(target)
            target.parent.mkdir(mode=0o700, exist_ok=True)
            rename_synced(final, target)

    def remove(self) -> None:
        """Removes it all, the rows overwritten first. Raises `OSError`; once the name is free, nothing is left."""
        for rows in (self.path / "rows.jsonl", self.path.with_name(self.path.name + _ASIDE) / "rows.jsonl"):
            _wipe(rows)
        discard(self.path.with_name(self.path.name + _ASIDE))
        discard(self.path)


class RunWriter:
    """The trainer's side of a folder, of one start. Every method raises `Superseded`, and `OSError`."""

    def __init__(self, path: Path, start: int) -> None:
        self.path, self._start = path, start
        self._line = b""  # what of the last event is still to be written
        self._said = ""

    def describe(self) -> RunDescription:
        """What is to be trained."""
        value: dict[str, Any] = json.loads((self.path / "run.json").read_bytes())
        return RunDescription(**value | {"hyperparameters": RunHyperparameters(**value["hyperparameters"])})

    def rows(self) -> tuple[TrainingExample, ...]:
        """The rows, in the order they were sent in."""
        with (self.path / "rows.jsonl").open("rb") as file:
            read = [json.loads(line) for line in file]
        return tuple(TrainingExample(row["textInput"], row["output"]) for row in read)

    @property
    def source(self) -> Path | None:
        """The weights that the run begins from, where it is on top of a tuned model."""
        folder = self.path / "source"
        return folder if folder.exists() else None

    def begin(self) -> tuple[int, Path | None]:
        """Takes the run over: how many steps it goes on from, and their checkpoint.

        The checkpoint gets the number of this start, and so does the beginning where there is none. What an earlier
        start still writes after that is never gone on from: its steps are none of this start's curve.
        """
        self.check()
        folder = self.path / "checkpoints"
        folder.mkdir(mode=0o700, exist_ok=True)
        start, step = _newest(folder)
        if start > self._start:
            raise Superseded
        mine = self._checkpoint(step)
        if start == 0:
            mine.mkdir(mode=0o700)
        elif start != self._start:
            rename_synced(folder / f"{start:06}-{step:09}", mine)
        self._append(Began(self._start, step))
        return step, mine if step else None

    def step(self, step: int, epoch: int, loss: float) -> None:
        """A step was taken."""
        self._append(Stepped(self._start, step, epoch, loss, now()))

    def checkpoint(self, step: int, save: Callable[[Path], None]) -> None:
        """Keeps a state that all steps up to this one are in, and drops the earlier ones."""
        self._flush()
        mine = self._checkpoint(step)
        self._publish(mine, save)
        for other in mine.parent.iterdir():
            found = _CHECKPOINT.fullmatch(other.name.removesuffix(_ASIDE))
            if other != mine and found and int(found[1]) <= self._start:
                discard(other)

    def finish(self, save: Callable[[Path], None]) -> None:
        """Keeps the trained weights, and says so."""
        self._flush()
        self._publish(self.path / "final" / str(self._start), save)
        self._append(Finished(self._start))

    def fail(self, message: str) -> None:
        """The run cannot be trained."""
        self._append(Broken(self._start, message))

    def stand_still(self, why: str) -> None:
        """Says why nothing can be written, or, empty, that it can. The page has its size already, and needs no room."""
        if why != self._said:
            page = why.encode()[:_STANDSTILL_SIZE].ljust(_STANDSTILL_SIZE, b"\0")
            with suppress(OSError):
                handle = os.open(self.path / "standstill", os.O_WRONLY | os.O_CLOEXEC)
                try:
                    os.pwrite(handle, page, 0)
                finally:
                    os.close(handle)
            self._said = why

    def check(self) -> None:
        """Raises `Superseded` where this is not the newest start."""
        try:
            newest = (self.path / "start").read_bytes()
        except FileNotFoundError:
            newest = b""
        if newest != str(self._start).encode():
            raise Superseded

    def _checkpoint(self, step: int) -> Path:
        return self.path / "checkpoints" / f"{self._start:06}-{step:09}"

    def _append(self, event: Event) -> None:
        """Appends an event. One that a full disk broke off is told again: then only its rest is written."""
        self.check()
        handle = os.open(self.path / "events.jsonl", os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not self._line:
                self._line = json.dumps({"event": _WORDS[type(event)], **asdict(event)}).encode() + b"\n"
                size = os.fstat(handle).st_size
                if size and os.pread(handle, 1, size - 1) != b"\n":
                    self._line = b"\n" + self._line  # an earlier start was killed in the middle of a line
            while self._line:
                self._line = self._line[os.write(handle, self._line) :]
        finally:
            os.close(handle)

    def _flush(self) -> None:
        """Syncs the events: a checkpoint must not outlive the steps it holds."""
        handle = os.open(self.path / "events.jsonl", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _publish(self, place: Path, save: Callable[[Path], None]) -> None:
        aside = place.with_name(place.name + _ASIDE)
        discard(aside)
        aside.mkdir(mode=0o700, parents=True)
        save(aside)
        self.check()
        discard(place)
        rename_synced(aside, place)


def _newest(checkpoints: Path) -> tuple[int, int]:
    """Start and step of the checkpoint to go on from: that of the highest start, and its last; zeros where none is."""
    names = [path.name for path in checkpoints.iterdir()] if checkpoints.exists() else []
    return max(((int(m[1]), int(m[2])) for name in names if (m := _CHECKPOINT.fullmatch(name))), default=(0, 0))


def _event(line: bytes) -> Event | None:
    try:
        value = json.loads(line)
        return _EVENTS[value.pop("event")](**value)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def write_synced(file: Path, body: bytes) -> None:
    """Writes a file of the owner's alone, and has it on the disk. Raises `OSError`."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        rest = memoryview(body)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def rename_synced(source: Path, target: Path) -> None:
    """Renames, and has the new name on the disk. Raises `OSError`."""
    source.rename(target)
    handle = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def discard(path: Path) -> None:
    """Removes a folder, which may be gone. Raises `OSError`."""
    with suppress(FileNotFoundError):
        shutil.rmtree(path)


def _copy(source: Path, target: Path) -> None:
    target.mkdir(mode=0o700)
    for file in source.iterdir():
        write_synced(target / file.name, file.read_bytes())


def _wipe(file: Path) -> None:
    """Overwrites a file with zeros: as far as the file system has it, nothing can be read from the disk any more."""
    with suppress(FileNotFoundError):
        handle = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
        try:
            left = os.fstat(handle).st_size
            while left > 0:
                left -= os.write(handle, b"\0" * min(left, 2**16))
            os.fsync(handle)
        finally:
            os.close(handle)

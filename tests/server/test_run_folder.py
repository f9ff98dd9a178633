"""The folder between server and trainer: no kill loses or doubles a step, and only the newest start writes."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from controller.server.models import RunHyperparameters, TrainingExample
from controller.server.run_folder import (
    Began,
    Bookmark,
    Broken,
    Finished,
    RunDescription,
    RunFolder,
    RunWriter,
    Stepped,
    Superseded,
    write_synced,
)
from controller.server.trainer import train

STEPS = 5
ROWS = (TrainingExample("a private row", "1"), TrainingExample("another", "2"))
ASKED = RunDescription(
    engine="tiny",
    model="m",
    base="models/tiny",
    digest="tiny-1",
    hyperparameters=RunHyperparameters(epoch_count=1, batch_size=1, learning_rate=0.1),
    seed=1,
    examples=2,
    steps=STEPS,
)
EFFECTS = ("open", "write", "fsync", "rename", "mkdir", "rmdir", "unlink", "close")
"""The calls of the system by which a trainer changes its folder, or is about to."""


class Summing:
    """A learner whose loss at each step holds all steps before it: one that is missing or doubled shows in the rest."""

    checkpoint_every = 0.0

    def __init__(self) -> None:
        self.taken: list[int] = []

    def resume(self, checkpoint: Path | None) -> None:
        self.taken = [] if checkpoint is None else json.loads((checkpoint / "state").read_bytes())

    def advance(self) -> float:
        self.taken.append(len(self.taken) + 1)
        return float(sum(self.taken))

    def save(self, folder: Path) -> None:
        write_synced(folder / "state", json.dumps(self.taken).encode())

    finish = save


CURVE = {step: float(sum(range(1, step + 1))) for step in range(1, STEPS + 1)}


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder(tmp_path / "runs" / "operation")
    made.make(ASKED, ROWS, None)
    return made


def run(folder: RunFolder, start: int) -> None:
    """A start of the trainer from its first write to its last."""
    writer, learner = RunWriter(folder.path, start), Summing()
    step, checkpoint = writer.begin()
    learner.resume(checkpoint)
    train(writer, learner, step)


@dataclass
class Server:
    """What a server has taken over of a run."""

    folder: RunFolder
    mark: Bookmark = field(default_factory=Bookmark)
    start: int = 0
    finished: int = 0

    def __post_init__(self) -> None:
        self.curve: dict[int, float] = {}

    def look(self) -> None:
        events, self.mark = self.folder.read(self.mark)
        for event in events:
            match event:
                case Stepped():
                    self.curve[event.step] = event.loss
                case Finished():
                    self.finished = event.start
                case Began() | Broken():
                    pass

    def begin(self) -> int:
        self.start += 1
        self.folder.announce(self.start)
        return self.start


def struck(act: Callable[[], None], nth: int, where: str) -> bool:
    """Whether ``act``, in a process of its own, was killed at its nth effect: before it, or half-way in a write."""
    child = os.fork()
    if child == 0:
        left = iter(range(nth))
        for name in EFFECTS:
            setattr(os, name, striking(getattr(os, name), left, where if name == "write" else "before"))
        try:
            act()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def striking(call: Callable[..., Any], left: Iterator[int], where: str) -> Callable[..., Any]:
    def strike(*given: Any, **named: Any) -> Any:
        if next(left, None) is None:
            if where == "half-way":
                call(given[0], bytes(given[1])[: len(given[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*given, **named)

    return strike


def whole(server: Server) -> None:
    server.look()
    assert server.curve == CURVE
    assert server.finished
    final = server.folder.path / "final" / str(server.finished)
    assert json.loads((final / "state").read_bytes()) == list(range(1, STEPS + 1))


def one_more_start(server: Server, nth: int, where: str) -> bool:
    """Starts a run that has not finished; whether that start was killed."""
    server.look()
    if server.finished:
        return False
    return struck(partial(run, server.folder, server.begin()), nth, where)


@pytest.mark.parametrize("where", ["before", "half-way"])
def test_a_kill_at_any_write_leaves_what_the_next_start_makes_whole(tmp_path: Path, where: str) -> None:
    kills = 0
    for nth in range(1000):
        server = Server(RunFolder(tmp_path / f"run-{nth}"))
        server.folder.make(ASKED, ROWS, None)
        killed = one_more_start(server, nth, where)
        kills += killed
        one_more_start(server, nth % 40, where)
        assert not one_more_start(server, 1000, where)
        whole(server)
        if not killed:
            break
    assert kills > 50


def test_a_superseded_start_writes_nothing_more(folder: RunFolder) -> None:
    folder.announce(1)
    late = RunWriter(folder.path, 1)
    late.begin()
    late.step(1, 0, 1.0)
    folder.announce(2)
    before = (folder.path / "events.jsonl").read_bytes()
    for write in (
        lambda: late.step(2, 0, 3.0),
        lambda: late.checkpoint(2, Summing().save),
        lambda: late.finish(Summing().finish),
        lambda: late.fail("no"),
        late.begin,
    ):
        with pytest.raises(Superseded):
            write()
    assert (folder.path / "events.jsonl").read_bytes() == before
    assert not (folder.path / "final" / "1").exists()


def test_what_an_earlier_start_still_wrote_after_a_later_one_does_not_count(folder: RunFolder) -> None:
    """Between its look at the number and its write an earlier start may be stopped for as long as it likes."""
    server = Server(folder)
    early = RunWriter(folder.path, server.begin())
    early.begin()
    early.step(1, 0, CURVE[1])
    late = server.begin()
    early.check = lambda: None  # type: ignore[method-assign]  # it had looked just before
    RunWriter(folder.path, late).begin()
    early.step(2, 0, 666.0)
    early.checkpoint(3, lambda aside: write_synced(aside / "state", b"[6, 6, 6]"))
    early.finish(Summing().finish)
    server.look()
    assert server.curve == {1: CURVE[1]}
    assert server.finished == 0
    third = server.begin()
    run(folder, third)
    whole(server)
    assert server.finished == third


def test_a_run_that_is_gone_stops_its_trainer(folder: RunFolder) -> None:
    folder.announce(1)
    writer = RunWriter(folder.path, 1)
    writer.begin()
    folder.remove()
    with pytest.raises(Superseded):
        writer.step(1, 0, 1.0)
    assert list(folder.path.parent.iterdir()) == []


def test_events_that_a_power_cut_took_are_read_again_and_counted_once(folder: RunFolder) -> None:
    server = Server(folder)
    run(folder, server.begin())
    server.look()
    events = folder.path / "events.jsonl"
    lines = events.read_bytes().splitlines(keepends=True)
    events.write_bytes(b"".join(lines[:3]))
    server.look()
    assert server.curve == CURVE
    assert server.mark.offset == events.stat().st_size


def test_a_line_that_is_no_event_is_passed_over(folder: RunFolder) -> None:
    (folder.path / "events.jsonl").write_bytes(
        b'{"event": "step", "start": 1, "st\n[]\n{"event": "dance", "start": 1}\n{"event": "finished", "start": 1}\n'
    )
    events, mark = folder.read(Bookmark())
    assert events == [Finished(1)]
    assert folder.read(mark) == ([], mark)


def test_a_half_written_event_waits_for_its_rest(folder: RunFolder) -> None:
    line = b'{"event": "finished", "start": 1}\n'
    events = folder.path / "events.jsonl"
    events.write_bytes(line[:-9])
    assert folder.read(Bookmark()) == ([], Bookmark())
    events.write_bytes(line)
    assert folder.read(Bookmark())[0] == [Finished(1)]


def test_the_rows_are_overwritten_before_they_are_removed(folder: RunFolder) -> None:
    rows = folder.path / "rows.jsonl"
    kept = rows.with_name("kept")
    os.link(rows, kept)
    assert b"a private row" in kept.read_bytes()
    held = kept.open("rb")
    folder.remove()
    assert set(held.read()) == {0}
    held.close()


def test_a_folder_gives_back_what_it_was_made_of(folder: RunFolder) -> None:
    writer = RunWriter(folder.path, 1)
    assert (writer.describe(), writer.rows(), writer.source) == (ASKED, ROWS, None)

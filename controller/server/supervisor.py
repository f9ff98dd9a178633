"""Unfinished runs of the store in, each started on the runner, what its trainer reports in the store out."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controller.server.data_folder import DataFolder, describe
from controller.server.engines.bases import Bases
from controller.server.log import Log, now
from controller.server.models import Model, Snapshot, TrainingExample, TunableModel
from controller.server.room import PASSING, RETRY_EVERY, StoreUnusable, room_needed
from controller.server.run_folder import Bookmark, Broken, Event, Finished, RunFolder, Stepped, discard
from controller.server.runners.port import Ending, Runner
from controller.server.status import StatusCode
from controller.server.store import RunEnd, Store

POLL_EVERY: Final = 0.2  # seconds: how late a step may be seen
_VAIN_KILLS: Final = 3  # so often in succession may a process be killed without a checkpoint more than before


@dataclass(slots=True)
class _Started:
    """A run whose process was started by this server."""

    model: Model
    key: str
    mark: Bookmark
    waits: str = ""

    @property
    def operation(self) -> str:
        return self.model.operation


class Supervisor:
    """One thread that starts what waits, oldest first, reads what the trainers report, and clears up after them."""

    def __init__(self, store: Store, data: DataFolder, bases: Bases, runner: Runner, log: Log) -> None:
        self._store, self._data, self._bases, self._runner, self._log = store, data, bases, runner, log
        self._turn = threading.RLock()  # held while a run changes hands: started, stopped, finished
        self._started: dict[str, _Started] = {}  # by operation
        self._gone: dict[str, Ending] = {}  # by operation: a process that has ended, until that is recorded
        self._kills: dict[str, tuple[int, int]] = {}  # by operation: the step it had kept, the kills there
        self._put_off = ""  # why none can be started, or none can be recorded
        self._lacking = ""  # why one cannot be started, though others can
        self._sweep_due = True
        self._due = threading.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def begin(self) -> None:
        """Takes up what waits, or was broken off when a server on this folder ended."""
        self._thread.start()
        self.wake()

    def add(self, model: Model, base: TunableModel, rows: Sequence[TrainingExample], source: Path | None) -> bool:
        """Keeps a new model and what its run needs, and queues the run; False where the id is taken.

        Raises `StoreUnusable`, and `FileNotFoundError` where ``source``, the weights to begin from, is gone.
        """
        folder = self._data.run(model.operation)
        with self._turn, room_needed():  # in one go: a sweep finds no folder without its model
            try:
                folder.make(describe(model, base, self._bases.engine(base).settings(base)), rows, source)
                added = self._store.add(model)
            except BaseException:
                self._clear_up(model.operation)
                raise
            if not added:
                self._clear_up(model.operation)
        self.wake()
        return added

    def wake(self) -> None:
        """There is something to do."""
        self._due.set()

    def standstill(self) -> str:
        """Why runs stand still that would train if there were room; empty where none does."""
        waiting = (run.waits for run in tuple(self._started.values()) if run.waits)
        return self._put_off or next(waiting, "") or self._lacking

    def stop(self, operation: str) -> None:
        """Ends the process of a run that has ended in the store, removes what it leaves, returns when it is gone."""
        with self._turn:
            run = self._started.get(operation)
        if run is not None:
            self._runner.stop(run.key)
        self._clear_up(operation)
        self.wake()

    def discard(self, model: Model) -> None:
        """Removes what is left of a model that is gone from the store; its process is ended first."""
        self.stop(model.operation)
        with self._turn:
            try:
                if self._store.model(model.id) is None:  # else the id was given again already
                    discard(self._data.adapter(model.id))
            except (OSError, StoreUnusable):
                self._sweep_due = True

    def close(self) -> None:
        """Ends all processes; their runs go on when a server opens the folder again."""
        with self._turn:
            self._closed = True
        self.wake()
        if self._thread.ident is not None:
            self._thread.join()
        self._runner.close()

    def _watch(self) -> None:
        while not self._closed:
            self._due.clear()
            refused = ""
            try:
                with room_needed():
                    self._pass()
            except StoreUnusable as fault:
                refused = str(fault)
            except OSError as fault:
                refused = f"The data folder cannot be used: {fault.strerror}."
            if refused != self._put_off:
                self._log.note("runs.waiting" if refused else "runs.going_on", why=refused)
            self._put_off = refused
            self._due.wait(RETRY_EVERY if refused else POLL_EVERY if self._started else None)

    def _pass(self) -> None:
        """Raises `StoreUnusable`, and `OSError` where the system has no room for a process now."""
        for run in tuple(self._started.values()):
            self._take_over(run)
            self._hear(run)
        for ending in self._runner.ended():
            self._after(ending)
        self._settle()
        self._sweep()
        self._start_waiting()

    def _sweep(self) -> None:
        """Removes the folders of runs that have ended and of models that are gone, where a kill may have left some."""
        if self._sweep_due:
            with self._turn:
                models = self._store.models()
                running = {model.operation for model in models if model.complete_time is None}
                self._data.sweep(running, {model.id for model in models})
                self._sweep_due = False

    def _take_over(self, run: _Started) -> None:
        """What the trainer has reported since the last time, into the store."""
        folder = self._data.run(run.operation)
        while True:
            events, mark = folder.read(run.mark)
            if mark == run.mark:
                return
            with self._turn:
                self._record(run, folder, events, mark)
            run.mark = mark

    def _record(self, run: _Started, folder: RunFolder, events: list[Event], mark: Bookmark) -> None:
        steps = [Snapshot(e.step, e.epoch, e.loss, e.time) for e in events if isinstance(e, Stepped)]
        end, adapter = None, self._data.adapter(run.model.id)
        match next((event for event in events if isinstance(event, Finished | Broken)), None):
            case Finished(start=start):
                folder.publish(start, adapter)
                end = RunEnd(now())
            case Broken(message=message):
                end = RunEnd(now(), StatusCode.INTERNAL, message)
            case None:
                pass
        if self._store.take_over(run.operation, mark, steps, end):
            if end is not None:
                self._clear_up(run.operation)
        elif end is not None and end.code is None:
            discard(adapter)  # cancelled or deleted in the last moment

    def _hear(self, run: _Started) -> None:
        why = self._data.run(run.operation).standstill()
        if why != run.waits:
            self._log.note("run.waiting" if why else "run.going_on", operation=run.operation, why=why)
        run.waits = why

    def _after(self, ending: Ending) -> None:
        """A process is gone: what it still reported counts, and a run it has not ended is failed."""
        run = next((run for run in self._started.values() if run.key == ending.key), None)
        if run is not None:
            self._log.note("run.ended", operation=run.operation, exit_code=ending.code)
            self._gone[run.operation] = ending

    def _settle(self) -> None:
        """Ends the runs whose process is gone; where the store cannot be written, they stay to be ended.

        One whose process was killed goes on from its checkpoint, as it does after a kill of the server, unless that is
        in vain: what killed it at the same place again and again would do so for ever.
        """
        for operation, ending in tuple(self._gone.items()):
            run = self._started[operation]
            self._take_over(run)
            if ending.code >= 0 or self._is_in_vain(operation):
                message = f"Training failed: its process {ending.how}."
                if self._store.fail(operation, StatusCode.INTERNAL, message, now()):
                    self._clear_up(operation)
            with self._turn:  # only now: a run without a process that has not ended is one to start
                del self._gone[operation], self._started[operation]

    def _is_in_vain(self, operation: str) -> bool:
        """Counts a kill; whether there were too many since the last checkpoint."""
        kept = self._data.run(operation).checkpoint()
        before, kills = self._kills.get(operation, (-1, 0))
        self._kills[operation] = (kept, kills + 1 if kept <= before else 0)
        return self._kills[operation][1] >= _VAIN_KILLS

    def _start_waiting(self) -> None:
        self._lacking = ""
        for model in self._store.unfinished():
            with self._turn:
                if self._closed or (model.operation not in self._started and not self._start(model)):
                    return

    def _start(self, model: Model) -> bool:
        """Starts the next process of a run; False where there is no room for it, and those behind it wait as well."""
        base = self._bases.find(model.base_model)
        if base is None or base.digest != model.digest:
            self._lacking = f"{model.base_model} is not here as it was when {model.name} was created."
            return True
        command = self._bases.engine(base).trainer(base)
        why = self._runner.never(command.needs)
        if why:
            self._lacking = f"{model.name} cannot be trained here: {why}"
            return True
        if not self._runner.has_room(command.needs):
            return False
        folder = self._data.run(model.operation)
        run = _Started(model, "", self._store.bookmark(model.operation))
        self._take_over(run)  # what a server before this one had no time for
        number = self._store.begin(model.operation, now())
        if number is None:
            return True
        try:
            folder.announce(number)
            run.key = f"{model.operation}-{number}"
            words = (*command.words, str(folder.path), str(number))
            facts = self._runner.start(run.key, folder.path, words, command.needs)
        except OSError as fault:
            if fault.errno in PASSING:
                raise
            why = f"Training failed: its process could not be started: {fault.strerror}."
            self._store.fail(model.operation, StatusCode.INTERNAL, why, now())
            return True
        self._started[model.operation] = run
        self._log.note("run.started", operation=model.operation, **facts)
        return True

    def _clear_up(self, operation: str) -> None:
        """Removes the rows and all else of a run that has ended; what cannot be removed now is removed later."""
        self._kills.pop(operation, None)
        try:
            self._data.run(operation).remove()
        except OSError:
            self._sweep_due = True

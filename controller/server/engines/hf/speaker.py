"""Questions to the models on one base in, answers out, from a process that is started with the first and ends idle."""

from __future__ import annotations

import itertools
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from controller.server.engines.port import RowFault, SpeakerGone, TunedWeights, WeightsUnfit
from controller.server.models import TrainingExample
from controller.server.prompts import Completion, Prompt

_PACKAGE_ROOT: Final = Path(__file__).resolve().parents[4]
_LOOK_EVERY: Final = 0.1  # seconds: how late it is seen that nobody waits for an answer any more


class HfSpeaker:
    """The server's end of that process."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._turn = threading.Lock()
        self._process: _Process | None = None

    def answer(self, weights: TunedWeights, prompt: Prompt, go_on: Callable[[], None]) -> Completion:
        """The answer; ``go_on`` is called ten times a second."""
        sampling = prompt.sampling
        request = {
            "do": "answer",
            "key": weights.key,
            "folder": str(weights.folder),
            "system": prompt.system,
            "turns": [*prompt.history, ("user", prompt.text)],
            "temperature": sampling.temperature,
            "topP": sampling.top_p,
            "topK": sampling.top_k,
            "limit": prompt.limit,
            "stops": prompt.stops,
            "seed": prompt.seed,
        }
        said = self._running().ask(request, go_on)
        match said.get("error"):
            case None:
                return Completion(said["text"], said["finished"], said["promptTokens"], said["tokens"])
            case "gone":
                raise FileNotFoundError(weights.folder)
            case _:
                raise WeightsUnfit(f"The weights cannot be used on this base model ({said['why']}).")

    def check(self, rows: Sequence[TrainingExample]) -> Sequence[RowFault]:
        """The rows that cannot be learned."""
        said = self._running().ask(
            {"do": "check", "rows": [(row.text_input, row.output) for row in rows]}, lambda: None
        )
        if "error" in said:
            raise SpeakerGone(f"The rows could not be checked ({said['why']}).")
        return [RowFault(row, field, why) for row, field, why in said["faults"]]

    def close(self) -> None:
        """Ends the process."""
        with self._turn:
            if self._process is not None:
                self._process.close()
                self._process = None

    def _running(self) -> _Process:
        with self._turn:
            if self._process is None or self._process.has_ended:
                self._process = _Process(self._settings)
            return self._process


class _Process:
    """One life of the process."""

    def __init__(self, settings: dict[str, Any]) -> None:
        paths = [str(_PACKAGE_ROOT), os.environ.get("PYTHONPATH")]
        self._process = subprocess.Popen(  # noqa: S603 -- our own interpreter and module
            [sys.executable, "-P", "-m", "controller.server.engines.hf.speaking", json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env=_environment() | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )
        self._turn = threading.Lock()
        self._numbers = itertools.count(1)
        self._waiting: dict[int, queue.Queue[dict[str, Any] | None]] = {}
        self.has_ended = False
        threading.Thread(target=self._listen, daemon=True).start()

    def ask(self, request: dict[str, Any], go_on: Callable[[], None]) -> dict[str, Any]:
        """The reply. Raises `SpeakerGone`, and what ``go_on`` raises."""
        number, box = next(self._numbers), queue.Queue[dict[str, Any] | None](1)
        with self._turn:
            self._waiting[number] = box
        try:
            self._send({"id": number, **request})
            said = self._wait(number, box, go_on)
        finally:
            with self._turn:
                self._waiting.pop(number, None)
        if said is None:
            raise SpeakerGone("The process that answers has ended; the next question starts another.")
        return said

    def _wait(
        self, number: int, box: queue.Queue[dict[str, Any] | None], go_on: Callable[[], None]
    ) -> dict[str, Any] | None:
        while True:
            try:
                return box.get(timeout=_LOOK_EVERY)
            except queue.Empty:
                pass
            if self.has_ended and box.empty():
                return None
            try:
                go_on()
            except BaseException:
                self._send({"id": number, "do": "cancel"})
                raise

    def _send(self, request: dict[str, Any]) -> None:
        line = json.dumps(request).encode() + b"\n"
        assert self._process.stdin is not None  # noqa: S101 -- asked for above
        with self._turn:
            try:
                self._process.stdin.write(line)
                self._process.stdin.flush()
            except (OSError, ValueError):
                self.has_ended = True

    def _listen(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 -- asked for above
        with self._process.stdout as lines:
            for line in lines:
                said = json.loads(line)
                with self._turn:
                    box = self._waiting.get(said.pop("id"))
                if box is not None:
                    box.put(said)
        self._process.wait()
        self.has_ended = True

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            with self._turn:
                self._process.stdin.close()


def _environment() -> dict[str, str]:
    """The server's own, but for its one thread: an answer may use all cores."""
    return {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}

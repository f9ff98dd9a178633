"""The embedded server as a process of its own, and a bare HTTP client for it."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: dict[str, str]

    @property
    def error(self) -> Any:
        return self.body["error"]

    @property
    def fields(self) -> set[str]:
        """The fields that a refusal names."""
        return {violation["field"] for detail in self.error["details"] for violation in detail["fieldViolations"]}


@dataclass
class Served:
    """A server on a data folder; may be started again after it ended or was killed."""

    data: Path
    flags: tuple[str, ...] = ()
    within: tuple[str, ...] = ()  # the words before the command: what it is started in
    url: str = ""
    log: str = ""
    process: subprocess.Popen[str] = field(init=False)

    def start(self) -> Served:
        command = [*self.within, sys.executable, "-m", "controller.server", "--data", str(self.data), *self.flags]
        with self._log_file().open("a") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self._log_file().read_text()
        self.url = json.loads(line)["url"]
        return self

    def _log_file(self) -> Path:
        return self.data.with_suffix(".log")

    @property
    def journal(self) -> str:
        return self._log_file().read_text()

    def kill(self) -> None:
        """Kill -9."""
        self.process.kill()
        self._end()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self._end()

    def _end(self) -> int:
        code = self.process.wait(timeout=15)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def trainers(self) -> list[int]:
        """The process ids of the trainers at work on this folder."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    arguments = (entry / "cmdline").read_bytes().decode().split("\0")
                except OSError:
                    continue
                if "controller.server.trainer" in arguments and any(str(self.data) in said for said in arguments):
                    found.append(int(entry.name))
        return found

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """One request; ``body`` is sent as it is where it is bytes, else as JSON."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
        try:
            payload = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
            connection.request(method, path, payload, headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, json.loads(answer.read()), {k.lower(): v for k, v in answer.getheaders()})
        finally:
            connection.close()

    def create(self, model_id: str, body: dict[str, Any]) -> str:
        """Creates a model; the name of its operation."""
        answer = self.call("POST", f"/v1beta/tunedModels?tunedModelId={model_id}", body)
        assert answer.status == 200, answer
        return str(answer.body["name"])

    def operation(self, name: str) -> Any:
        return self.call("GET", f"/v1/{name}").body

    def model(self, model_id: str) -> Any:
        return self.call("GET", f"/v1beta/tunedModels/{model_id}").body

    def wait(self, name: str, seconds: float = 30) -> Any:
        """The operation once it is done."""
        return self.until(lambda: self.operation(name), lambda operation: operation.get("done"), seconds)

    def wait_for_step(self, name: str, step: int) -> None:
        self.until(lambda: self.operation(name), lambda got: got["metadata"].get("completedSteps", 0) >= step, 30)

    def until(self, look: Any, fits: Any, seconds: float) -> Any:
        deadline = time.monotonic() + seconds
        while True:
            seen = look()
            if fits(seen):
                return seen
            assert time.monotonic() < deadline, str(seen)[-2000:]
            time.sleep(0.05)

    def ask(self, model_id: str, text: str, **settings: Any) -> Answer:
        body = {"contents": [{"parts": [{"text": text}]}], "generationConfig": settings}
        return self.call("POST", f"/v1beta/tunedModels/{model_id}:generateContent", body)


def rows(count: int = 6) -> list[dict[str, str]]:
    return [{"textInput": str(n), "output": str(n + 1)} for n in range(count)]


def tuned(count: int = 6, **hyperparameters: Any) -> dict[str, Any]:
    """The body of a create, with so many rows."""
    return {
        "displayName": "Next",
        "baseModel": "models/tiny",
        "tuningTask": {"trainingData": {"examples": {"examples": rows(count)}}, "hyperparameters": hyperparameters},
    }


def text_of(answer: Answer) -> str:
    assert answer.status == 200, answer
    return str(answer.body["candidates"][0]["content"]["parts"][0]["text"])

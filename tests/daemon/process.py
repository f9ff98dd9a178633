"""`gitune run` as a process of its own: its log to wait for, its signals, what it holds open."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

CODE = Path(__file__).resolve().parents[2]


@dataclass
class Running:
    """One daemon. ``events`` are its log lines, parsed."""

    process: subprocess.Popen[str]
    events: list[dict[str, Any]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            try:
                self.events.append(json.loads(line))
            except ValueError:
                continue

    def said(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event.get("event") == name]

    def wait(self, what: Callable[[], object], seconds: float = 30.0) -> float:
        """Seconds until it is so."""
        began = time.monotonic()
        while not what():
            if self.process.poll() is not None and not what():
                raise AssertionError("the daemon ended: " + "".join(self.lines[-20:]))
            if time.monotonic() - began > seconds:
                raise AssertionError(f"not so within {seconds} s: " + "".join(self.lines[-20:]))
            time.sleep(0.005)
        return time.monotonic() - began

    def passes(self, result: str = "") -> int:
        """How many it told of; a look that found nothing new is not told."""
        return sum(not result or event["result"] == result for event in self.said("pass.ended"))

    @property
    def url(self) -> str:
        self.wait(lambda: self.said("web.listening"))
        return str(self.said("web.listening")[0]["url"])

    def get(self, path: str) -> tuple[int, str]:
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def end(self, number: int = signal.SIGTERM, seconds: float = 15.0) -> float:
        """Seconds from the signal to the exit."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(seconds)
        return time.monotonic() - began

    @property
    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    @property
    def children(self) -> list[str]:
        return Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()

    @property
    def kilobytes(self) -> int:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("the process has no size")

    @property
    def cpu_seconds(self) -> float:
        return self._cpu(2)

    @property
    def cpu_of_all(self) -> float:
        """With that of the processes it started and that have ended."""
        return self._cpu(4)

    def _cpu(self, fields: int) -> float:
        times = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[11 : 11 + fields]
        return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(*words: str, home: Path, **environ: str) -> Iterator[Running]:
    """`gitune run` with these words; killed at the end where it still runs."""
    command = [sys.executable, "-m", "controller", "run", "--log-format", "json", *words]
    env = {**os.environ, "PYTHONPATH": str(CODE), "GITUNE_HOME": str(home), **environ}
    process = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    daemon = Running(process)
    reader = threading.Thread(target=daemon.read)
    reader.start()
    try:
        yield daemon
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        reader.join()
        if process.stderr is not None:
            process.stderr.close()

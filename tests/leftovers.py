"""Embedded servers that a test has left running: found by the note in their data folder, and ended."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PATIENCE = 10.0  # seconds for a server to end by itself, its trainers with it


def noted(folder: Path) -> Iterator[int]:
    """The process ids that notes below a folder speak of, of servers that still run there."""
    for note in folder.rglob("server.json"):
        with suppress(OSError, ValueError, KeyError, TypeError):
            pid = int(json.loads(note.read_text("utf-8"))["pid"])
            if str(note.parent) in command(pid):
                yield pid


def command(pid: int) -> str:
    """The words that a process was started with; "" for one that is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text("utf-8").replace("\0", " ")
    except OSError:
        return ""


def end(pids: list[int]) -> None:
    """Ask each to end, and kill the one that does not. A server leads its own process group."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + PATIENCE
    while (left := [pid for pid in pids if command(pid)]) and time.monotonic() < until:
        time.sleep(0.02)
    for pid in left:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)

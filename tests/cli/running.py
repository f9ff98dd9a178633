"""How tests run the command, and what they get."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


class Process(Protocol):
    """Run the command with arguments, in a folder, with bytes on stdin and more variables."""

    def __call__(self, *arguments: str, cwd: Path | None = None, stdin: bytes = b"", **environ: str) -> Ran: ...


class WriteSpec(Protocol):
    """Write a spec of that name, and more lines below its ``spec:``."""

    def __call__(self, name: str, more: str = "") -> Path: ...


class Commit(Protocol):
    """Commit everything."""

    def __call__(self, message: str) -> None: ...

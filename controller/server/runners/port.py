"""What the server asks of the place where training processes live: one process for each key, and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol

from controller.server.status import Json

LIFE_LINE: Final = "GITUNE_LIFE_LINE"  # set for a process that is to end when its stdin does


@dataclass(frozen=True, slots=True)
class Needs:
    """What a training process takes up while it runs: ``cores`` and ``gpus`` of each of ``nodes`` machines.

    No core is all of them: such a process counts as many threads as it likes, and runs by itself.
    """

    cores: int = 1
    gpus: int = 0
    nodes: int = 1


class ProcessState(StrEnum):
    """What is known of a key's process."""

    UNKNOWN = "UNKNOWN"
    """Never started here, or forgotten; it may still run where a runner forgets."""
    RUNNING = "RUNNING"
    ENDED = "ENDED"


@dataclass(frozen=True, slots=True)
class Ending:
    """A process that has ended. ``how`` follows on "its process"; ``code`` is its exit code, negative for a signal."""

    key: str
    how: str
    code: int


class Runner(Protocol):
    """Starts training processes and knows how they do. All methods may be called from several threads."""

    def never(self, needs: Needs) -> str:
        """Why no process of such needs could ever be started here, for people; empty where one could."""

    def has_room(self, needs: Needs) -> bool:
        """Whether a process could be started now; one that finds no room waits with the server, not here."""

    def start(self, key: str, folder: Path, command: Sequence[str], needs: Needs) -> dict[str, Json]:
        """Starts the command, once for a key however often it is asked. What the journal is to say of the process.

        Raises `OSError`.
        """

    def state(self, key: str) -> ProcessState:
        """How the process of a key does."""

    def ended(self) -> Sequence[Ending]:
        """The processes that have ended since the last call; each is told once."""

    def stop(self, key: str) -> None:
        """Ends the process of a key, and returns when it is gone."""

    def orphans(self, wanted: Collection[str]) -> Sequence[str]:
        """The keys of the processes that run though nobody wants them any more."""

    def close(self) -> None:
        """Ends all that would not go on without the server."""

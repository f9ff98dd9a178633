"""What all benchmarks are given: how often, how large, and the cases, each built once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benches import case, peers
from benches.measure import Program, nothing
from benches.tuning_api import Served

FLOOR = "floor"
_FLOOR = Path(__file__).with_name("floor.py")


def told(text: str) -> None:
    """What goes on, for whoever waits."""
    print(text, file=sys.stderr, flush=True)


def floor(name: str, folder: Path, *words: str, items: int = 1, before: Callable[[], None] = nothing) -> Program:
    """A program of `benches.floor`."""
    return Program(name, (sys.executable, "-I", str(_FLOOR), *words), folder, items=items, before=before)


@dataclass
class Bench:
    """``sizes`` are numbers of models; ``quick`` makes everything else small too."""

    scratch: Path
    served: Served
    times: int
    sizes: tuple[int, ...]
    quick: bool = False
    with_peers: bool = True
    _cases: dict[tuple[int, int], case.Case] = field(default_factory=dict)
    _peers: Path | None = None

    @property
    def largest(self) -> int:
        """The size of the cases that are measured at one size only."""
        return max(self.sizes)

    def case(self, size: int, together: int = case.TOGETHER) -> case.Case:
        """The case of so many models, of which so many share a dataset."""
        key = (size, together)
        if key not in self._cases:
            told(f"building the case of {size} models")
            folder = self.scratch / f"case-{size}-{together}"
            folder.mkdir()
            self._cases[key] = case.made(folder, size, self.served, together)
        return self._cases[key]

    def peer(self, name: str) -> str | None:
        """The program of a peer; None where there are to be none."""
        if not self.with_peers:
            return None
        self._peers = self._peers or peers.environment()
        return str(self._peers / name)

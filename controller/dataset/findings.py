"""Faults found row by row to problems: one for each kind, at its first line, a few lines named, the rest counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from controller.dataset.codes import CODES
from controller.errors import Problem

NAMED = 5  # so many lines are named; the rest is counted


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong. ``offset`` counts characters from the start of the text that was looked at.

    ``message`` and ``hint`` never hold text of a row: columns, counts and kinds only.
    """

    code: str
    message: str
    hint: str = ""
    offset: int = 0


class Findings:
    """Faults gathered by kind, in the order in which the kinds were first met."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._places: dict[tuple[str, str, str], tuple[int, list[int]]] = {}

    def add(self, fault: Fault, line: int, column: int = 1) -> None:
        """Note a fault; one of the same code and words joins those before it."""
        key = (fault.code, fault.message, fault.hint)
        _, lines = self._places.setdefault(key, (column, []))
        lines.append(line)

    def problems(self) -> tuple[Problem, ...]:
        """One problem per kind."""
        return tuple(
            Problem(self._file, lines[0], column, code, message + _also(lines), CODES[code].severity, hint)
            for (code, message, hint), (column, lines) in self._places.items()
        )


def listed(lines: Sequence[int]) -> str:
    """``3, 17, 20, 21, 22 and 41 more``."""
    named = [str(line) for line in lines[:NAMED]]
    if len(lines) > NAMED:
        return f"{', '.join(named)} and {len(lines) - NAMED:,} more"
    return " and ".join([", ".join(named[:-1]), named[-1]]) if len(named) > 1 else named[0]


def _also(lines: list[int]) -> str:
    unique = list(dict.fromkeys(lines))
    return f": lines {listed(unique)}" if len(unique) > 1 else ""

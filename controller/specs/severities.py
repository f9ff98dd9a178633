"""Problems and a team's wishes to problems with the severities they are to have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from controller.errors import Problem, Severity


def with_severities(
    problems: Iterable[Problem], checks: Mapping[str, Severity], fixed: frozenset[str] = frozenset()
) -> tuple[Problem, ...]:
    """The problems, each with the severity ``checks`` gives its code; ``fixed`` codes keep their own.

    `load_settings` has refused wishes that lower what protects from a crash or from the service's limits.
    """
    return tuple(
        replace(p, severity=checks[p.code]) if p.code in checks and p.code not in fixed else p for p in problems
    )

"""Two repositories of which the second is larger, at rest, and what commands do in them: counted once for all tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from benches.case import Case, made, spec_path
from benches.measure import run
from benches.tuning_api import Served, serving
from tests.performance.counted import Work, work

SMALL, LARGE = 20, 60
TOGETHER = 10  # specs share a dataset


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    with serving() as served:
        yield served


@pytest.fixture(scope="session")
def cases(served: Served, tmp_path_factory: pytest.TempPathFactory) -> tuple[Case, Case]:
    folder = tmp_path_factory.mktemp("cases")
    (folder / "small").mkdir()
    (folder / "large").mkdir()
    return made(folder / "small", SMALL, served, TOGETHER), made(folder / "large", LARGE, served, TOGETHER)


def again(*words: str) -> Callable[[Case], None]:
    """At rest, and the command has been run before."""

    def before(case: Case) -> None:
        case.restore()
        run(case.program(*words))

    return before


def changed(*words: str) -> Callable[[Case], None]:
    """The command has been run before; then one spec was changed."""

    def before(case: Case) -> None:
        again(*words)(case)
        case.changed()

    return before


# What is counted: how the case is found, and the words of the command.
COMMANDS: dict[str, tuple[Callable[[Case], None], tuple[str, ...]]] = {
    "help": (Case.restore, ("--help",)),
    "validate, nothing kept": (Case.forget, ("validate",)),
    "validate again": (again("validate"), ("validate",)),
    "validate one file, nothing kept": (Case.forget, ("validate", spec_path(0))),
    "plan, nothing kept": (Case.forget, ("plan",)),
    "plan again": (again("plan"), ("plan",)),
    "apply again": (again("apply"), ("apply",)),
    "plan, one spec changed": (changed("plan"), ("plan",)),
    "apply, one spec changed": (changed("apply"), ("apply",)),
}


@dataclass
class Works:
    """What each command does in the small repository, and in the large one; counted once, when it is asked for."""

    cases: tuple[Case, Case]
    folder: Path
    counted: dict[str, tuple[Work, Work]] = field(default_factory=dict)

    def __getitem__(self, command: str) -> tuple[Work, Work]:
        if command not in self.counted:
            small, large = self.cases
            self.counted[command] = (self._work(small, command), self._work(large, command))
        return self.counted[command]

    def _work(self, case: Case, command: str) -> Work:
        before, words = COMMANDS[command]
        before(case)
        done = work(case, self.folder / f"{case.size} {command}", *words)
        case.restore()
        return done


@pytest.fixture(scope="session")
def works(cases: tuple[Case, Case], tmp_path_factory: pytest.TempPathFactory) -> Works:
    return Works(cases, tmp_path_factory.mktemp("counted"))

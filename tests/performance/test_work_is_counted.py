"""What commands do, counted: documents, blobs, requests, processes, modules and calls. Never seconds."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.performance.conftest import COMMANDS, LARGE, SMALL, TOGETHER, Works

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("performance"), pytest.mark.timeout(900)]

SIZES = (SMALL, LARGE)
NO_PASS = {"help", "validate", "validate one file"}  # they ask no provider and read no ledger
# Processes a command starts, and modules it has imported at its end: the most that there may be.
PROCESSES = {
    "help": 0,
    "validate": 6,
    "validate one file": 6,
    "plan, nothing kept": 16,
    "plan again": 16,
    "apply again": 20,
    "plan, one spec changed": 16,
    "apply, one spec changed": 35,
}
MODULES = {"help": 90, "validate": 725, "plan again": 755, "apply again": 760}


def documents(command: str, size: int) -> int:
    """The most that a command may parse: gitune.yaml, every spec, and where it plans every status file."""
    if command == "help":
        return 0
    if command in NO_PASS:
        return size + 1
    return 2 * size + 2


def blobs(command: str, size: int) -> int:
    """The most that a command may read from git: every spec and dataset, gitune.yaml, and where it plans the ledger."""
    if command == "help":
        return 0
    files = size + size // TOGETHER + 1
    return files if command in NO_PASS else files + size


def grown(small: Counter[str], large: Counter[str]) -> dict[str, tuple[int, int]]:
    """The functions that are called more often than in proportion: how often in the small repository, in the large one.

    Coroutines count each time that they go on, which varies from run to run: hence a fifth, and one for each spec.
    """
    most = 1.2 * LARGE / SMALL
    return {what: (small[what], often) for what, often in large.items() if often > most * small[what] + LARGE}


@pytest.mark.parametrize("command", COMMANDS)
def test_each_file_is_read_and_parsed_once(works: Works, command: str) -> None:
    for size, work in zip(SIZES, works[command], strict=True):
        assert work.documents <= documents(command, size)
        assert len(work.blobs) <= blobs(command, size)
        assert [blob for blob, times in Counter(work.blobs).items() if times > 1] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_requests_are_as_many_however_many_models_there_are(works: Works, command: str) -> None:
    wanted = {} if command in NO_PASS else {"list": 1, "base": 1}
    if "changed" in command:
        wanted |= {"get": 1}  # a listing may lag: the id that is to be created is looked for by itself
    if command.startswith("apply, one"):
        wanted |= {"create": 1}
    assert [work.requests for work in works[command]] == [wanted, wanted]


@pytest.mark.parametrize("command", COMMANDS)
def test_processes_are_as_many_however_many_specs_there_are(works: Works, command: str) -> None:
    small, large = works[command]

    assert len(small.processes) == len(large.processes)
    assert len(large.processes) <= PROCESSES[command], large.processes


@pytest.mark.parametrize("command", COMMANDS)
def test_no_function_is_called_more_often_than_the_repository_is_larger(works: Works, command: str) -> None:
    small, large = works[command]

    assert large.calls.total() > 0
    assert grown(small.calls, large.calls) == {}


def test_a_function_that_is_called_for_every_pair_is_seen() -> None:
    small = Counter({"each": SMALL, "pairs": SMALL * SMALL, "once": 1})
    large = Counter({"each": LARGE, "pairs": LARGE * LARGE, "once": 1, "anew": 2 * LARGE})

    assert grown(small, large).keys() == {"pairs", "anew"}


@pytest.mark.parametrize("command", MODULES)
def test_modules_are_imported_for_what_a_command_does(works: Works, command: str) -> None:
    small, large = works[command]

    assert small.modules == large.modules
    assert len(large.modules) <= MODULES[command]


def test_help_calls_next_to_nothing(works: Works) -> None:
    assert works["help"][0].calls.total() < 500

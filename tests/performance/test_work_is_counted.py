"""What commands do, counted: documents, blobs, requests, processes, modules and calls. Never seconds."""

from __future__ import annotations

from collections import Counter

import pytest

from benches.case import MAIN
from tests.performance.conftest import COMMANDS, LARGE, SMALL, TOGETHER, Works

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("performance"), pytest.mark.timeout(900)]

# Processes a command starts, and modules it has imported at its end: the most that there may be. They only come down.
PROCESSES = {
    "help": 0,
    "validate, nothing kept": 10,
    "validate again": 10,
    "validate one file, nothing kept": 10,
    "plan, nothing kept": 28,
    "plan again": 26,
    "apply again": 24,
    "plan, one spec changed": 27,
    "apply, one spec changed": 39,
}
MODULES = {"help": 90, "validate again": 755, "plan again": 785, "apply again": 790}


def asks(command: str) -> bool:
    """Whether a command asks a provider and reads the ledger."""
    return command.startswith(("plan", "apply"))


def unknown(command: str, size: int) -> int:
    """How many specs nobody has read before."""
    return size if "nothing kept" in command else 1 if "changed" in command else 0


def documents(command: str, size: int) -> int:
    """The most that a command may parse: gitune.yaml, unknown specs, and where it plans every status file."""
    return 0 if command == "help" else unknown(command, size) + (size + 2 if asks(command) else 1)


def blobs(command: str, size: int) -> int:
    """The most that a command may read from git: as much, unknown datasets, and rows that are sent."""
    datasets = -(-unknown(command, size) // TOGETHER)
    if command == "apply, one spec changed":
        datasets += 1  # read again where its rows are sent
    return 0 if command == "help" else documents(command, size) + datasets


def grown(small: Counter[str], large: Counter[str]) -> dict[str, tuple[int, int]]:
    """The functions that are called more often than in proportion: how often in the small repository, in the large one.

    Coroutines count each time that they go on, which varies from run to run: hence a fifth, and one for each spec.
    """
    most = 1.2 * LARGE / SMALL
    return {what: (small[what], often) for what, often in large.items() if often > most * small[what] + LARGE}


@pytest.mark.parametrize("command", COMMANDS)
def test_each_file_is_read_and_parsed_once(works: Works, command: str) -> None:
    for case, work in zip(works.cases, works[command], strict=True):
        assert work.documents <= documents(command, case.size)
        assert len(work.blobs) <= blobs(command, case.size)
        twice = {blob for blob, times in Counter(work.blobs).items() if times > 1}
        sent = 1 if command == "apply, one spec changed" else 0  # the rows of a create are read again, and verified
        assert len(twice - {case.repository.git("rev-parse", f"{MAIN}:gitune.yaml")}) <= sent


@pytest.mark.parametrize("command", COMMANDS)
def test_requests_are_as_many_however_many_models_there_are(works: Works, command: str) -> None:
    wanted = {"list": 1, "base": 1} if asks(command) else {}
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
    assert works["help"][0].calls.total() < 600

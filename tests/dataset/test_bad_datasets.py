"""Every damaged file in bad/ gets the problems bad.json says, at their exact places, and leaks none of its text."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.dataset import Layout, Rules
from controller.dataset.problems import CODES
from controller.dataset.rows import TaskType
from controller.errors import Problem
from controller.providers.gemini.facts import FACTS
from tests.dataset.passes import load

LIMITS = FACTS.examples

HERE = Path(__file__).parent
SIZES = {"GT203", "GT204"}  # most of the files are short; those two are only looked at where a file is about them


@dataclass(frozen=True)
class Expected:
    """What bad.json says of one file: ``code:line:column`` of each problem."""

    problems: tuple[str, ...]
    task_type: TaskType


def expectations() -> Mapping[str, Expected]:
    table = json.loads((HERE / "bad.json").read_text("utf-8"))
    return {n: Expected(tuple(e["problems"]), e.get("taskType", "other")) for n, e in table.items()}


TABLE = expectations()


def problems_of(name: str) -> tuple[Problem, ...]:
    data = (HERE / "bad" / name).read_bytes()
    return load(data, name, Layout(), Rules(LIMITS, task_type=TABLE[name].task_type)).problems


@pytest.mark.parametrize("name", TABLE)
def test_a_damaged_file_gets_its_codes_at_their_exact_places(name: str) -> None:
    expected = TABLE[name].problems
    ignored = SIZES - {problem.partition(":")[0] for problem in expected}

    found = [f"{p.code}:{p.line}:{p.column}" for p in problems_of(name) if p.code not in ignored]

    assert found == list(expected)


@pytest.mark.parametrize("name", TABLE)
def test_every_problem_has_a_hint_its_code_s_severity_and_the_file_s_name(name: str) -> None:
    for problem in problems_of(name):
        assert problem.hint
        assert problem.severity is CODES[problem.code].severity
        assert problem.file == name


@pytest.mark.parametrize("name", TABLE)
def test_no_problem_repeats_text_of_the_file(name: str) -> None:
    told = " ".join(p.message + p.hint for p in problems_of(name)).lower()

    assert "canary" not in told


def test_every_file_is_in_the_table_and_nearly_all_hold_the_canary() -> None:
    files = {path.name: path.read_bytes() for path in (HERE / "bad").iterdir() if path.name != ".gitattributes"}

    assert set(files) == set(TABLE)
    assert sum(b"canary" in data.lower() for data in files.values()) > len(files) * 0.85


def test_every_code_for_how_a_file_is_written_or_what_it_says_has_such_a_file_or_a_test_of_its_own() -> None:
    elsewhere = {
        "GT205",
        "GT208",
        "GT211",
        "GT219",
        "GT220",
        "GT255",
        "GT256",
        "GT269",
        "GT274",
        "GT275",
        "GT276",
        "GT278",
        "GT279",
        "GT280",
    } | {f"GT{n}" for n in (*range(221, 226), *range(231, 237))}
    met = {problem.partition(":")[0] for expected in TABLE.values() for problem in expected.problems}

    assert met | elsewhere == set(CODES)

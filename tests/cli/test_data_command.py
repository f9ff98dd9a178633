"""`gitune data inspect` says what a file is taken for, without a spec and without a word of a row."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.running import Process, Ran


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    texts = [{"text_input": f"canary {n}", "output": f"label {n % 3}"} for n in range(30)]
    path.write_text("".join(json.dumps(row) + "\n" for row in [*texts, texts[0]]))
    return path


Inspect = Callable[..., Ran]


@pytest.fixture
def inspect(gitune: Process) -> Inspect:
    """Run the command; no word of a row is in what it says."""

    def ran(*given: str | Path) -> Ran:
        found = gitune("data", "inspect", *map(str, given))
        assert "canary" not in found.stdout + found.stderr
        return found

    return ran


def test_it_tells_shape_rows_lengths_labels_and_repeats(inspect: Inspect, rows: Path) -> None:
    found = inspect(rows)

    assert found.returncode == 0
    told = (
        "jsonl, pairs",
        "31",
        "3, with 11, 10, 10 examples each",
        "9 at the most",
        "1 repeated",
        "line 31 repeats line 1",
    )
    assert [said for said in told if said not in found.stdout] == []


def test_its_json_is_one_document(inspect: Inspect, rows: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.jsonl"
    kept.write_text('{"text_input": "CANARY 7", "output": "label 1"}\n')
    told = json.loads(inspect("--evaluation", kept, "-o", "json", rows).stdout)

    assert told["schemaVersion"] == 1
    assert (told["shape"], told["rows"], told["labels"], told["leaks"]) == ("pairs", 31, [11, 10, 10], 1)
    assert {"GT209", "GT211"} <= {problem["code"] for problem in told["problems"]}
    assert len(told["digest"]) == 64


def test_its_markdown_is_two_tables(inspect: Inspect, rows: Path) -> None:
    assert "| examples | `31` |" in inspect("-o", "markdown", rows).stdout


def test_odd_rows_are_named_by_line_and_the_exit_code_says_so(inspect: Inspect, tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    turns = [{"role": "user", "content": "canary"}, {"role": "assistant", "content": "canary"}]
    path.write_text(f"{json.dumps({'messages': [*turns, *turns]})}\n{json.dumps({'messages': turns[:1]})}\n")
    found = inspect(path)

    assert found.returncode == 1
    assert "1, 1 of several turns" in found.stdout
    assert f"{path.name}:2:1: GT270" in found.stdout


def test_what_is_not_there_is_said(inspect: Inspect, tmp_path: Path) -> None:
    found = inspect(tmp_path / "none.jsonl")

    assert found.returncode == 1
    assert "is no file" in found.stderr

"""Rows of other shapes get a hint that works when it is pasted, and no column of content is left out silently."""

import csv
import io
import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from controller.dataset import Layout, Rules
from controller.errors import Problem, Severity
from controller.providers.gemini.facts import FACTS
from controller.state.desired import Example
from tests.dataset.passes import load

Row = Mapping[str, object]
COMMAND = re.compile(r"`(jq .+)`")
needs_jq = pytest.mark.skipif(shutil.which("jq") is None, reason="the command of the hint is run by jq")


def written(rows: Sequence[Row], suffix: str) -> bytes:
    match suffix:
        case "jsonl":
            return "".join(json.dumps(row) + "\n" for row in rows).encode()
        case "json":
            return json.dumps(rows, indent=1).encode()
        case _:
            out = io.StringIO()
            writer = csv.DictWriter(out, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
            return out.getvalue().encode()


def problems(rows: Sequence[Row], layout: Layout | None = None, suffix: str = "jsonl") -> list[Problem]:
    found = load(written(rows, suffix), f"a.{suffix}", layout or Layout(), Rules(FACTS.examples)).problems
    assert "canary" not in " ".join(p.message + p.hint for p in found)
    return [p for p in found if p.code not in {"GT203", "GT204"}]


def told(rows: Sequence[Row], layout: Layout | None = None, suffix: str = "jsonl") -> list[str]:
    return [p.code for p in problems(rows, layout, suffix)]


def examples(rows: Sequence[Row], layout: Layout | None = None) -> tuple[Example, ...]:
    loaded = load(written(rows, "jsonl"), "a.jsonl", layout or Layout(), Rules(FACTS.examples))
    assert loaded.dataset is not None
    return tuple(loaded.dataset.examples)


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv"])
@pytest.mark.parametrize(
    ("names", "mapping"),
    [
        (["prompt", "response"], {"input": "prompt", "output": "response"}),
        (["text", "label"], {"input": "text", "output": "label"}),
        (["instruction", "response"], {"input": "instruction", "output": "response"}),
        (["Question", "Answer"], {"input": "Question", "output": "Answer"}),
        (["text_input", "completion"], {"input": "text_input", "output": "completion"}),
        (["prompt", "output"], {"input": "prompt", "output": "output"}),
        (["question", "answer", "rejected"], {"input": "question", "output": "answer"}),
    ],
)
def test_the_hint_is_the_line_to_add_for_what_the_rows_carry(
    suffix: str, names: list[str], mapping: dict[str, str]
) -> None:
    rows = [{name: f"canary {name} {n}" for name in names} for n in range(30)]

    found = problems(rows, suffix=suffix)
    (line,) = {m[1] for p in found if (m := re.search(r"`(columns: .+)`", p.hint))}

    columns = YAML(typ="safe").load(line)["columns"]
    assert columns == mapping
    left = {"GT222"} if len(names) > len(mapping) else set()
    assert set(told(rows, Layout(None, columns["input"], columns["output"]), suffix)) == left


ALPACA = [{"instruction": f"canary do {n}", "input": f"canary {n}" if n % 2 else "", "output": "ok"} for n in range(30)]


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv"])
@pytest.mark.parametrize("column", ["instruction", "input"])
def test_alpaca_s_instruction_and_input_are_joined_unless_a_spec_names_one_of_them(suffix: str, column: str) -> None:
    (problem,) = [p for p in problems(ALPACA, Layout(None, column), suffix) if p.code == "GT223"]

    assert problem.severity is Severity.ERROR
    assert "`shape: alpaca`" in problem.hint
    assert "GT223" not in told(ALPACA, Layout(), suffix)
    assert examples(ALPACA) == tuple(
        Example(f"canary do {n}\n\ncanary {n}" if n % 2 else f"canary do {n}", "ok") for n in range(30)
    )


DOLLY = [{"instruction": f"canary do {n}", "context": f"canary {n}", "response": f"ok {n}"} for n in range(30)]


@needs_jq
@pytest.mark.parametrize("suffix", ["jsonl", "json"])
def test_columns_that_no_shape_joins_are_joined_by_the_command_of_the_hint(tmp_path: Path, suffix: str) -> None:
    (problem,) = {p.hint: p for p in problems(DOLLY, suffix=suffix)}.values()
    assert "columns are not joined" in problem.hint

    converted = _run(problem, written(DOLLY, suffix), tmp_path)

    assert examples(converted) == tuple(Example(f"canary do {n}\n\ncanary {n}", f"ok {n}") for n in range(30))


def test_an_instruction_that_is_the_same_in_every_row_belongs_in_the_prefix() -> None:
    rows = [{"instruction": "canary sort", "input": f"canary {n}", "output": "ok then"} for n in range(30)]
    (problem,) = [p for p in problems(rows, Layout(None, "input")) if p.code == "GT223"]

    assert "dataset.prefix" in problem.hint
    assert "GT223" not in told(rows, Layout(None, "input", prefix="canary sort\n\n"))


def test_an_alpaca_row_whose_text_column_holds_the_whole_prompt_does_not_get_it_joined_to_the_input() -> None:
    rows = [{**row, "text": f"canary {row['instruction']} {row['output']}"} for row in ALPACA]
    (problem,) = [p for p in problems(rows) if p.code == "GT222"]

    assert "'text'" in problem.message
    assert examples(rows) == examples(ALPACA)


def _run(problem: Problem, data: bytes, folder: Path) -> list[Row]:
    found = COMMAND.search(problem.hint)
    assert found
    (folder / "FILE").write_bytes(data)
    subprocess.run(["/bin/sh", "-c", found[1]], cwd=folder, check=True)
    return [json.loads(line) for line in (folder / "NEW.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv"])
def test_an_unused_column_that_reads_like_text_is_a_warning(suffix: str) -> None:
    rows = [{"text_input": f"canary {n}", "output": "ok", "context": f"canary{n}"} for n in range(30)]
    (problem,) = [p for p in problems(rows, suffix=suffix) if p.code == "GT222"]

    assert (problem.severity, problem.line) == (Severity.WARNING, {"jsonl": 1, "json": 2, "csv": 2}[suffix])
    assert problem.message == "column 'context' holds text in 30 of 30 rows and is not used"


def test_a_column_of_another_name_is_not_named_since_a_name_may_be_a_row() -> None:
    rows = [{"text_input": f"canary {n}", "output": "ok", "canary notes": f"canary note {n}"} for n in range(30)]
    (problem,) = [p for p in problems(rows) if p.code == "GT222"]

    assert problem.message.startswith("a column of another name holds text in 30 of 30 rows")


@pytest.mark.parametrize(
    "beside",
    [
        {"id": "canary-7"},
        {"source": "https://example.org/canary", "split": "train"},
        {"score": 3, "context": None},
        {"context": ""},
        {"context": "   "},
    ],
)
def test_ids_tags_numbers_and_empty_columns_are_left_alone(beside: Row) -> None:
    rows = [{"text_input": f"canary {n}", "output": "ok", **beside} for n in range(30)]

    assert "GT222" not in told(rows)


def test_a_remark_on_a_few_rows_is_no_column_of_content() -> None:
    rows = [{"text_input": f"canary {n}", "output": "ok", "note": "canary look" if n < 3 else ""} for n in range(30)]

    assert "GT222" not in told(rows)


def test_keys_that_are_data_cost_neither_memory_nor_a_problem_each() -> None:
    rows = [{"text_input": f"canary {n}", "output": "ok", f"canary key {n}": "canary text"} for n in range(500)]

    assert "GT222" not in told(rows)

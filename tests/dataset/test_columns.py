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
        (["prompt", "completion"], {"input": "prompt", "output": "completion"}),
        (["text", "label"], {"input": "text", "output": "label"}),
        (["instruction", "response"], {"input": "instruction", "output": "response"}),
        (["Question", "Answer"], {"input": "Question", "output": "Answer"}),
        (["text_input", "completion"], {"input": "text_input", "output": "completion"}),
        (["prompt", "output"], {"input": "prompt", "output": "output"}),
        (["prompt", "chosen", "rejected"], {"input": "prompt", "output": "chosen"}),
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


def test_alpaca_without_inputs_is_a_pair_of_instruction_and_output() -> None:
    rows = [{"instruction": f"canary {n}", "input": "", "output": f"ok {n % 2}"} for n in range(30)]
    (problem,) = problems(rows)

    assert "columns: {input: instruction, output: output}" in problem.hint
    assert told(rows, Layout(None, "instruction")) == []


ALPACA = [{"instruction": f"canary do {n}", "input": f"canary {n}" if n % 2 else "", "output": "ok"} for n in range(30)]


@needs_jq
@pytest.mark.parametrize("suffix", ["jsonl", "json"])
@pytest.mark.parametrize("layout", [Layout(), Layout(None, "instruction"), Layout(None, "input")])
def test_instruction_and_input_are_joined_by_the_command_of_the_hint_and_never_dropped(
    tmp_path: Path, layout: Layout, suffix: str
) -> None:
    (problem,) = [p for p in problems(ALPACA, layout, suffix) if p.code in {"GT252", "GT223"}]
    assert problem.severity is Severity.ERROR
    assert "columns are not joined" in problem.hint

    converted = _run(problem, written(ALPACA, suffix), tmp_path)

    assert examples(converted, layout) == tuple(
        Example(f"canary do {n}\n\ncanary {n}" if n % 2 else f"canary do {n}", "ok") for n in range(30)
    )
    assert "GT223" not in told(converted, layout)


def test_alpaca_as_csv_is_an_error_too() -> None:
    assert told(ALPACA, suffix="csv") == ["GT258"]
    assert "not joined" in problems(ALPACA, suffix="csv")[0].hint
    assert "GT223" in told(ALPACA, Layout(None, "instruction"), "csv")


def test_an_instruction_that_is_the_same_in_every_row_belongs_in_the_prefix() -> None:
    rows = [{"instruction": "canary sort", "input": f"canary {n}", "output": "ok then"} for n in range(30)]
    (problem,) = [p for p in problems(rows, Layout(None, "input")) if p.code == "GT223"]

    assert "dataset.prefix" in problem.hint
    assert "GT223" not in told(rows, Layout(None, "input", prefix="canary sort\n\n"))


def test_an_alpaca_row_whose_text_column_holds_the_whole_prompt_does_not_get_it_joined_to_the_input() -> None:
    rows = [{**row, "text": f"canary {row['instruction']} {row['output']}"} for row in ALPACA]
    (problem,) = problems(rows)

    assert "[.instruction, .input]" in problem.hint


CHATS: Mapping[str, Row] = {
    "messages": {
        "messages": [
            {"role": "system", "content": "canary be brief"},
            {"role": "user", "content": "canary hello"},
            {"role": "assistant", "content": "canary hi"},
        ]
    },
    "contents": {
        "systemInstruction": {"parts": [{"text": "canary be "}, {"text": "brief"}]},
        "contents": [
            {"role": "user", "parts": [{"text": "canary hello"}]},
            {"role": "model", "parts": [{"text": "canary hi"}]},
        ],
    },
    "conversations": {
        "conversations": [
            {"from": "system", "value": "canary be brief"},
            {"from": "human", "value": "canary hello"},
            {"from": "gpt", "value": "canary hi"},
        ]
    },
}


@needs_jq
@pytest.mark.parametrize("suffix", ["jsonl", "json"])
@pytest.mark.parametrize("shape", CHATS)
def test_conversations_are_refused_with_a_command_that_makes_pairs_of_them(
    tmp_path: Path, shape: str, suffix: str
) -> None:
    rows = [CHATS[shape]] * 25
    (problem,) = problems(rows, suffix=suffix)
    assert (problem.code, problem.severity, problem.line) == ("GT268", Severity.ERROR, 1 if suffix == "jsonl" else 2)
    assert "not read yet" in problem.message

    converted = _run(problem, written(rows, suffix), tmp_path)

    assert set(examples(converted)) == {Example("canary be brief\n\ncanary hello", "canary hi")}


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

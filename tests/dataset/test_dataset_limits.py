"""Hostile and huge files end in a problem, in good time, and never in a dead process."""

import json
import time

import pytest

from controller.dataset import Layout, Rules, reading
from controller.dataset import rows as caps
from controller.dataset.loading import digest
from controller.providers.gemini.facts import FACTS
from tests.dataset.passes import check, read_examples

LIMITS = FACTS.examples

ROW = {"text_input": "question: what is this? context: a row", "output": "answer"}


def codes(data: bytes, file: str) -> list[str]:
    return [p.code for p in read_examples(data, file, Layout()).problems]


@pytest.mark.parametrize("file", ["a.jsonl", "a.json"])
@pytest.mark.parametrize(
    "text",
    ["[" * 200_000, '{"a":' * 200_000, '[{"a":' * 100_000, '[{"text_input": "a", "output": ' + "[" * 100_000],
    ids=["arrays", "objects", "both", "inside a column"],
)
def test_nesting_by_the_ten_thousand_is_refused_before_it_is_parsed(file: str, text: str) -> None:
    found = codes(text.encode(), file)

    assert len(found) == 1
    assert found[0] in {"GT254", "GT245"}


@pytest.mark.parametrize("file", ["a.jsonl", "a.json", "a.csv"])
@pytest.mark.parametrize(
    "unit", ['"', '\\"', '""', '"\n', '"a""b\n', "{", ",", "\r", " ", "\\", '[{"', "\ufeff", "\x00"]
)
def test_no_repeated_character_makes_reading_slow(file: str, unit: str) -> None:
    begun = time.process_time()

    read = read_examples(('{"text_input": "' + unit * (100_000 // len(unit))).encode(), file, Layout())

    assert read.problems
    assert time.process_time() - begun < 2


@pytest.mark.parametrize("file", ["a.jsonl", "a.json", "a.csv"])
def test_an_example_longer_than_the_cap_is_named_and_the_others_are_read(file: str) -> None:
    long = "x" * 1_000_001
    rows = [ROW, {"text_input": long, "output": "a"}, ROW]
    data = {
        "a.jsonl": "\n".join(json.dumps(r) for r in rows),
        "a.json": "[" + ",\n".join(json.dumps(r) for r in rows) + "]",
        "a.csv": "\n".join(["text_input,output", "a,b", f"{long},a", "c,d"]),
    }[file]

    read = read_examples(data.encode(), file, Layout())

    assert [(p.code, p.line) for p in read.problems] == [("GT255", 3 if file == "a.csv" else 2)]
    assert len(read.rows) == 2


@pytest.mark.parametrize("file", ["a.jsonl", "a.json", "a.csv"])
def test_reading_ends_at_the_cap_of_rows(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caps, "MOST", 100)  # a million rows take seconds; the cap is the same
    written = json.dumps(ROW)
    data = {
        "a.jsonl": f"{written}\n" * 200,
        "a.json": "[" + ",\n".join([written] * 200) + "]",
        "a.csv": "text_input,output\n" + "a,b\n" * 200,
    }[file]

    read = read_examples(data.encode(), file, Layout())

    assert [(p.code, p.line) for p in read.problems] == [("GT256", 102 if file == "a.csv" else 101)]
    assert not read.whole


def test_a_single_line_of_many_wrong_elements_is_not_slow() -> None:
    begun = time.process_time()

    (problem,) = read_examples(b"[" + b"1," * 50_000 + b"1]", "a.json", Layout()).problems

    assert (problem.code, problem.line, problem.column) == ("GT251", 1, 2)
    assert time.process_time() - begun < 2


def written(file: str, count: int) -> bytes:
    rows = [
        {"text_input": f"question: what is {i}? context: row {i}", "output": f"answer {i % 9}"} for i in range(count)
    ]
    return {
        "a.jsonl": "\n".join(json.dumps(r) for r in rows),
        "a.json": json.dumps(rows, indent=1),
        "a.csv": "text_input,output\n" + "".join(f"{r['text_input']},{r['output']}\n" for r in rows),
    }[file].encode()


@pytest.mark.parametrize("file", ["a.jsonl", "a.json", "a.csv"])
def test_what_reading_checking_and_digesting_take_grows_no_faster_than_the_rows(file: str) -> None:
    def seconds(count: int) -> float:
        data, begun = written(file, count), time.process_time()

        read = read_examples(data, file, Layout())
        problems = check(read, Rules(LIMITS, task_type="classification"))
        named = digest(read.examples)

        assert (len(read.rows), problems, len(named)) == (count, (), 64)
        return time.process_time() - begun

    few, many = (min(seconds(count) for _ in range(3)) for count in (2_500, 20_000))

    assert many / few < 24  # eight times the rows; with their square it would be 64


@pytest.mark.parametrize("file", ["a.json", "a.csv"])
def test_a_file_that_has_to_be_held_whole_may_not_be_large(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_WHOLE", 1000)

    assert codes(written(file, 9), file) == []
    assert codes(written(file, 90), file) == ["GT269"]
    assert codes(written("a.jsonl", 90), "a.jsonl") == []

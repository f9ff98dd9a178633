"""What examples are told about each other: lines and counts, never a word of them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from controller.dataset import Layout, Rules
from controller.dataset.rows import TaskType
from controller.errors import Problem, Severity
from controller.providers.gemini.facts import FACTS
from controller.state.desired import Example
from tests.dataset.passes import Read, check, load, read_examples, tallied

LIMITS = FACTS.examples

SPECS = Path(__file__).resolve().parents[2] / "specs" / "datasets"


def rows(count: int) -> list[tuple[str, str]]:
    return [(f"canary sentence {n}", f"canary label {n % 3}") for n in range(count)]


def read(pairs: list[tuple[str, str]], file: str = "train.jsonl", prefix: str = "") -> Read:
    text = "\n".join(json.dumps({"text_input": i, "output": o}) for i, o in pairs)
    return read_examples(text.encode(), file, Layout(prefix=prefix))


def found(pairs: list[tuple[str, str]], code: str, rules: Rules | None = None) -> list[Problem]:
    problems = check(read(pairs), rules or Rules(LIMITS))
    assert "canary" not in "".join(p.message + p.hint for p in problems).lower()
    return [p for p in problems if p.code == code]


@pytest.mark.parametrize(
    ("task", "count", "codes"),
    [
        ("classification", 19, ["GT203"]),
        ("classification", 20, ["GT204"]),
        ("classification", 99, ["GT204"]),
        ("classification", 100, []),
        ("classification", 2000, []),
        ("summarization", 99, ["GT204"]),
        ("search", 100, []),
        ("other", 500, []),
        ("other", 501, ["GT205"]),
    ],
)
def test_the_number_of_examples_is_held_against_the_guide(task: TaskType, count: int, codes: list[str]) -> None:
    problems = check(read(rows(count)), Rules(LIMITS, task_type=task))

    assert [p.code for p in problems] == codes
    assert all((p.line, p.column) == (0, 0) for p in problems)


def test_an_evaluation_set_may_be_small_and_is_not_sent() -> None:
    assert check(read(rows(3)), Rules(replace(LIMITS, inline_bytes=1), is_evaluation=True)) == ()


def test_an_output_beyond_what_the_provider_learns_is_named_with_its_line_before_anything_is_sent() -> None:
    pairs = rows(100)
    pairs[6], pairs[7] = ("canary fits", "é" * 128), ("canary does not", "é" * 128 + "a")

    (problem,) = found(pairs, "GT207", Rules(replace(LIMITS, output_bytes=256)))

    assert (problem.line, problem.severity) == (8, Severity.ERROR)
    assert problem.message == "column 'output' is longer than the 256 bytes that the provider learns"
    assert found(pairs, "GT207") == []


def test_nothing_is_said_of_a_set_without_rows() -> None:
    assert check(read([]), Rules(LIMITS)) == ()


def test_the_bytes_of_the_request_are_counted_as_json_writes_them() -> None:
    pairs = [('a "quoted"\ntext é', "x"), *rows(99)]
    frame = '{"textInput":,"output":},'
    exact = sum(len(json.dumps(t, ensure_ascii=False).encode()) for pair in pairs for t in pair) + 100 * len(frame)

    assert found(pairs, "GT208", Rules(replace(LIMITS, inline_bytes=exact))) == []
    (problem,) = found(pairs, "GT208", Rules(replace(LIMITS, inline_bytes=exact - 1)))
    assert problem.severity is Severity.ERROR
    assert f"{exact:,}" in problem.message


def test_the_prefix_counts_for_the_longest_input() -> None:
    pairs = [("x" * 39_999, "a"), *rows(30)]

    assert "GT206" not in {p.code for p in check(read(pairs, prefix="p"), Rules(LIMITS))}
    assert "GT206" in {p.code for p in check(read(pairs, prefix="pq"), Rules(LIMITS))}


def test_repeats_name_both_lines_and_count_the_rest() -> None:
    pairs = rows(30)
    (problem,) = found([*pairs, *pairs[:5]], "GT209")

    assert problem.line == 31
    assert problem.message == "line 31 repeats line 1; line 32 repeats line 2; line 33 repeats line 3; and 2 more"


def test_repeats_on_one_line_of_json_are_seen() -> None:
    data = json.dumps([{"text_input": "canary", "output": "b"}] * 2).encode()

    assert "line 1 repeats line 1" in {p.message for p in load(data, "a.json", Layout(), Rules(LIMITS)).problems}


def test_a_contradiction_names_both_lines_and_is_no_repeat() -> None:
    pairs = [*rows(30), ("canary sentence 4", "canary other")]

    (problem,) = found(pairs, "GT210")
    assert problem.message == "line 31 has the input of line 5 and another output"
    assert problem.severity is Severity.WARNING
    assert found(pairs, "GT209") == []


def test_overlap_with_the_evaluation_set_names_the_lines_of_both() -> None:
    evaluation = read([("another canary", "x"), ("CANARY  sentence 7 ", "x")], "eval.jsonl")

    (problem,) = found(rows(30), "GT211", Rules(LIMITS, evaluation=tallied(evaluation)))
    assert (problem.line, problem.message) == (8, "line 8 is also line 2 of eval.jsonl")


@pytest.mark.parametrize(
    ("task", "labels", "code"),
    [
        ("classification", 3, "GT219"),
        ("classification", 50, "GT219"),
        ("classification", 51, "GT220"),
        ("other", 3, "GT220"),
        ("other", 200, None),
    ],
)
def test_an_answer_of_the_evaluation_that_is_never_trained_on_is_said_before_any_money(
    task: TaskType, labels: int, code: str | None
) -> None:
    taught = [(f"sentence {n}", f"label {n % labels}") for n in range(200)]
    evaluation = read([("a", "label 0 "), ("b", "Label 1"), ("c", "canary"), ("d", "label 2")], "eval.jsonl")

    problems = check(read(taught), Rules(LIMITS, task_type=task, evaluation=tallied(evaluation)))
    told = [p for p in problems if p.code in {"GT219", "GT220"}]

    assert [p.code for p in told] == ([code] if code else [])
    for problem in told:
        assert (problem.file, problem.line) == ("eval.jsonl", 2)
        assert problem.severity is (Severity.ERROR if code == "GT219" else Severity.WARNING)
        assert "lines 2 and 3" in problem.message
        assert "canary" not in problem.message


def test_an_answer_of_the_evaluation_that_is_longer_than_the_provider_gives_is_a_warning() -> None:
    limits = replace(LIMITS, output_bytes=8)
    (problem,) = check(read([("a", "x" * 8), ("b", "é" * 5)], "eval.jsonl"), Rules(limits, is_evaluation=True))

    assert (problem.code, problem.line, problem.severity) == ("GT221", 2, Severity.WARNING)


def test_sets_apart_do_not_overlap() -> None:
    evaluation = read([("another canary", "x")], "eval.jsonl")

    assert found(rows(30), "GT211", Rules(LIMITS, evaluation=tallied(evaluation))) == []


def parts(count: int, *labels: str) -> list[tuple[str, str]]:
    return [(" ".join(f"{label} canary {n}" for label in labels), f"{n % 4}") for n in range(count)]


def test_lines_built_in_another_way_are_listed_at_the_first() -> None:
    pairs = [*parts(20, "question:", "context:"), ("canary", "x"), ("context: canary question: canary", "x")]

    (problem,) = found(pairs, "GT212")
    assert (problem.line, problem.severity) == (21, Severity.WARNING)
    assert problem.message == "most inputs are built of 'question:' then 'context:'; lines 21 and 22 are not"


def test_labels_of_the_set_s_own_are_counted_and_not_named() -> None:
    pairs = [*parts(20, "canaryone:", "canarytwo:"), ("canarytwo: canary canaryone: canary", "x")]

    (problem,) = found(pairs, "GT212")
    assert problem.message == "most inputs are built of the same 2 labelled parts in the same order; line 21 is not"


@pytest.mark.parametrize(
    "pairs",
    [
        rows(30),
        parts(30, "question:", "context:"),
        [*parts(10, "question:"), *rows(30)],
        [("canary: at 10:30 http://canary", "x"), *rows(30)],
        parts(2, "question:"),
    ],
    ids=["no labels", "all alike", "a few with", "one by chance", "too few"],
)
def test_sets_without_a_usual_structure_are_left_alone(pairs: list[tuple[str, str]]) -> None:
    assert found(pairs, "GT212") == []


def test_outer_white_space_is_a_slip_only_where_it_is_rare() -> None:
    (problem,) = found([*rows(30), (" canary", "x"), ("canary\n", "x")], "GT213")
    assert problem.message == "column 'text_input' begins or ends in white space on lines 31 and 32, and nowhere else"
    assert found([(f" canary {n}", "ab"[n % 2]) for n in range(30)], "GT213") == []


def test_labels_that_differ_in_case_only_are_a_slip_of_a_classification() -> None:
    pairs = [*rows(30), ("canary 30", "Canary label 1"), ("canary 31", "canary  label 2")]

    (problem,) = found(pairs, "GT218", Rules(LIMITS, task_type="classification"))
    assert problem.message.startswith("lines 31 and 32 have a label")
    assert found(pairs, "GT218") == []


def test_answers_are_not_taken_for_labels() -> None:
    pairs = [(f"canary {n}", f"answer {n // 2}" if n % 2 else f"Answer {n // 2}") for n in range(30)]

    assert found([*pairs, ("canary 99", "only this")], "GT218", Rules(LIMITS, task_type="classification")) == []


def test_a_check_never_changes_what_is_sent() -> None:
    loaded = load(b'{"text_input": " canary ", "output": "x"}', "a.jsonl", Layout(prefix="P "), Rules(LIMITS))

    assert loaded.dataset is not None
    assert tuple(loaded.dataset.examples) == (Example("P  canary ", "x"),)
    assert (loaded.dataset.path, loaded.dataset.prefix, loaded.dataset.duplicates) == ("a.jsonl", "P ", 0)


def test_a_repr_shows_no_row() -> None:
    loaded = load(b'{"text_input": "canary", "output": "canary"}', "a.jsonl", Layout(), Rules(LIMITS))

    assert "canary" not in repr(loaded)
    assert "canary" not in repr(loaded.tally) + repr(list(loaded.dataset.examples if loaded.dataset else ()))


@pytest.mark.parametrize(
    ("name", "task", "least"), [("next-number", "other", 120), ("support-triage", "classification", 220)]
)
def test_the_example_sets_have_nothing_to_be_told(name: str, task: TaskType, least: int) -> None:
    kept = SPECS / f"{name}.eval.jsonl"
    evaluation = read_examples(kept.read_bytes(), kept.name, Layout()) if kept.exists() else None
    rules = Rules(LIMITS, task_type=task, evaluation=tallied(evaluation))

    loaded = load((SPECS / f"{name}.jsonl").read_bytes(), f"{name}.jsonl", Layout(), rules)

    assert loaded.problems == ()
    assert loaded.count >= least


def test_the_held_out_rows_have_nothing_to_be_told_and_every_class_among_them() -> None:
    kept = read_examples((SPECS / "support-triage.eval.jsonl").read_bytes(), "e.jsonl", Layout())

    assert check(kept, Rules(LIMITS, task_type="classification", is_evaluation=True)) == ()
    assert len(kept.rows) >= 48
    assert {e.output for e in kept.examples} == {"account", "billing", "bug", "feature"}

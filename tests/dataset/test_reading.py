"""Good files: three formats to the same examples, each with the line it starts on."""

import pytest

from controller.dataset import Layout, Rules
from controller.errors import Problem, Severity
from controller.providers.gemini.facts import FACTS
from controller.state.desired import Example
from tests.dataset.passes import load, read_examples

RULES = Rules(FACTS.examples)


def lines_of(data: bytes, file: str) -> list[int]:
    read = read_examples(data, file, Layout())
    assert read.problems == ()
    return [row.line for row in read.rows]


def only_problem(data: bytes, file: str, layout: Layout | None = None) -> Problem:
    (problem,) = read_examples(data, file, layout or Layout()).problems
    return problem


def test_json_lines_keep_their_lines_whatever_ends_them() -> None:
    data = b'{"text_input": "a", "output": "b"}\r\n{"output": "d", "text_input": "c"}'

    assert lines_of(data, "a.jsonl") == [1, 2]


def test_elements_of_an_array_keep_the_line_they_start_on() -> None:
    data = b"""[ {"text_input": "a",
        "output": "b"}, {"text_input": "c", "output": "d"}

    ,

    {
      "text_input": "e", "output": "f"}
]"""

    assert lines_of(data, "a.json") == [1, 2, 6]


def test_csv_records_keep_the_line_they_start_on_when_quoted_texts_hold_line_breaks() -> None:
    data = b'id,output,text_input\n1,"b\n\nb","a\na"\n2,d,c\r\n3,"f ""f"", f",e\n'

    assert lines_of(data, "a.csv") == [2, 6, 7]
    assert read_examples(data, "a.csv", Layout()).examples == (
        Example("a\na", "b\n\nb"),
        Example("c", "d"),
        Example("e", 'f "f", f'),
    )


def test_line_separators_inside_a_text_are_not_line_ends() -> None:
    data = '{"text_input": "a\u2028b\x85c\x0cd", "output": "x"}\n{"text_input": "c", "output": "d"}\n'
    data = data.replace("\x0c", "\\f")

    assert lines_of(data.encode(), "a.jsonl") == [1, 2]


def test_the_prefix_goes_before_every_input_and_is_not_taken_for_the_input() -> None:
    read = read_examples(b'{"q": "", "a": "b"}', "a.jsonl", Layout(None, "q", "a", "Say: "))

    assert read.examples == (Example("Say: ", "b"),)
    problems = load(b'{"q": "", "a": "b"}', "a.jsonl", read.layout, RULES).problems
    assert "GT202" in {p.code for p in problems}


def test_columns_beside_the_two_are_left_alone_whatever_they_hold() -> None:
    data = b'{"text_input": "a", "id": 123456789012345678901234567890e9, "tags": [null, {"x": true}], "output": "b"}'

    assert read_examples(data, "a.jsonl", Layout()).examples == (Example("a", "b"),)


def test_a_written_format_outranks_the_suffix() -> None:
    data = b"text_input,output\na,b\n"

    assert read_examples(data, "a.txt", Layout(format="csv")).examples == (Example("a", "b"),)


def test_a_suffix_counts_in_any_case() -> None:
    assert lines_of(b"text_input,output\na,b\n", "some.dir/A.CSV") == [2]


def test_a_byte_order_mark_is_a_warning_and_the_rows_are_read() -> None:
    read = read_examples(b'\xef\xbb\xbf{"text_input": "a", "output": "b"}', "a.jsonl", Layout())

    assert read.whole
    assert [p.severity for p in read.problems] == [Severity.WARNING]
    assert read.examples == (Example("a", "b"),)


def test_both_halves_of_a_surrogate_pair_are_one_character() -> None:
    data = rb'{"text_input": "\ud83d\ude00", "output": "b"}'

    assert read_examples(data, "a.jsonl", Layout()).examples == (Example("\U0001f600", "b"),)


def test_one_bad_line_costs_no_other_and_leaves_the_set_unfit_for_training() -> None:
    data = b'{"text_input": "a", "output": "b"}\n{"text_input": "c"}\n{"text_input": "e", "output": "f"}\n'
    loaded = load(data, "a.jsonl", Layout(), RULES)

    assert [row.line for row in read_examples(data, "a.jsonl", Layout()).rows] == [1, 3]
    assert loaded.count == 2
    assert loaded.dataset is None


def test_the_same_fault_on_many_lines_is_one_problem_that_names_a_few_and_counts_the_rest() -> None:
    problem = only_problem(b'{"text_input": "a", "output": 1}\n' * 46, "a.jsonl")

    assert (problem.line, problem.message) == (
        1,
        "column 'output' holds a number, not text: lines 1, 2, 3, 4, 5 and 41 more",
    )


def test_names_that_everybody_uses_are_shown_and_others_only_counted() -> None:
    problem = only_problem(b'{"text_input": "a", "rejected": "b", "Ms Private": "c"}', "a.jsonl")

    assert problem.message == "column 'output' is missing"
    assert "'text_input', 'rejected' and 1 other name;" in problem.hint


def test_a_header_that_differs_only_in_case_is_told_so() -> None:
    assert "{input: text_input, output: Output}" in only_problem(b"text_input,Output\na,b\n", "a.csv").hint

    problem = only_problem(b"text_input, output\na,b\n", "a.csv")

    assert "'text_input', 'output'" in problem.hint
    assert "to the letter" in problem.hint


@pytest.mark.parametrize(
    ("file", "word"),
    [("a.xls", ".xlsx"), ("a.zip", "gzip"), ("a.ndjson", "jsonl"), ("a.yaml", ".jsonl"), (".jsonl", ".jsonl")],
)
def test_an_unknown_suffix_says_what_to_do(file: str, word: str) -> None:
    problem = only_problem(b"whatever", file)

    assert problem.code == "GT240"
    assert word in problem.hint


def test_a_comma_too_many_is_placed_at_the_comma() -> None:
    problem = only_problem(b'{"text_input": "a", "output": "b" , }', "a.jsonl")

    assert (problem.code, problem.column) == ("GT247", 35)

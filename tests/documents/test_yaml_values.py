"""A YAML text is read by version 1.2, whatever other readers make of it."""

import pytest

from controller.documents import Spot, parse


def value(text: str) -> object:
    parsed = parse(text.encode(), "f.yaml")
    assert parsed.problems == ()
    (document,) = parsed.documents
    return document.value


SCALARS = [
    ("no", "no"),
    ("yes", "yes"),
    ("on", "on"),
    ("Off", "Off"),
    ("y", "y"),
    ("true", True),
    ("True", True),
    ("FALSE", False),
    ("tRue", "tRue"),
    ("null", None),
    ("~", None),
    ("Null", None),
    ("nULL", "nULL"),
    ("0", 0),
    ("-0", 0),
    ("+12", 12),
    ("017", 17),
    ("0o17", 15),
    ("0O17", "0O17"),
    ("0x1F", 31),
    ("-0x1F", "-0x1F"),
    ("0b11", "0b11"),
    ("1_000", "1_000"),
    ("1:30", "1:30"),
    ("1:30:00", "1:30:00"),
    ("1e3", 1000.0),
    ("1e-5", 1e-5),
    ("1E+2", 100.0),
    (".5", 0.5),
    ("5.", 5.0),
    ("-1.5", -1.5),
    ("1.", 1.0),
    (".", "."),
    ("-", None),
    ("+", "+"),
    ("1e", "1e"),
    ("e3", "e3"),
    ("1.2.3", "1.2.3"),
    ("2024-01-01", "2024-01-01"),
    ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
    ("NaN", "NaN"),
    ("inf", "inf"),
    ("=", "="),
    ("'5'", "5"),
    ('"true"', "true"),
    ('"\\u00e9"', "é"),
    ("5 apples", "5 apples"),
    ("\uff11\uff12", "\uff11\uff12"),  # full-width digits
]


@pytest.mark.parametrize(("text", "expected"), [s for s in SCALARS if s[0] != "-"])
def test_a_scalar_is_resolved_by_the_core_schema(text: str, expected: object) -> None:
    found = value(f"a: {text}\n")

    assert found == {"a": expected}
    assert isinstance(found, dict)
    assert type(found["a"]) is type(expected)


def test_every_value_and_every_key_has_its_place() -> None:
    (document,) = parse(b"# head\na:\n  b: [1, {c: 2}]\n'd': x\n", "f.yaml").documents

    assert document.place == Spot(2, 1)
    assert document.places == {
        (): Spot(2, 1),
        ("a",): Spot(3, 3),
        ("a", "b"): Spot(3, 6),
        ("a", "b", 0): Spot(3, 7),
        ("a", "b", 1): Spot(3, 10),
        ("a", "b", 1, "c"): Spot(3, 14),
        ("d",): Spot(4, 6),
    }
    assert document.key_place(("a", "b")) == Spot(3, 3)
    assert document.key_place(("d",)) == Spot(4, 1)
    assert document.key_place(("a", "b", 1)) == Spot(3, 10)


def test_the_place_of_what_is_not_there_is_that_of_what_is_around_it() -> None:
    (document,) = parse(b"a: {b: 1}\n", "f.yaml").documents

    assert document.value_place(("a", "x", "y")) == Spot(1, 4)
    assert document.value_place(("x",)) == Spot(1, 1)
    assert document.key_place(("a", "x")) == Spot(1, 4)


def test_documents_of_one_file_keep_the_lines_of_the_file() -> None:
    first, second, third = parse(b"a: 1\n---\n\nb: 2\n...\n# end\n--- {c: 3}\n", "f.yaml").documents

    assert (first.value, first.place) == ({"a": 1}, Spot(1, 1))
    assert (second.value, second.place) == ({"b": 2}, Spot(4, 1))
    assert (third.value, third.place) == ({"c": 3}, Spot(7, 5))


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n", "---\n---\n...\n", "--- # nothing\n"])
def test_an_empty_document_is_left_out(text: str) -> None:
    assert parse(text.encode(), "f.yaml") == parse(b"", "f.yaml")
    assert parse(text.encode(), "f.yaml").documents == ()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_system_count_alike(end: str) -> None:
    (document,) = parse(f"a: 1{end}b:{end}  c: |{end}    x{end}    y{end}".encode(), "f.yaml").documents

    assert document.value == {"a": 1, "b": {"c": "x\ny\n"}}
    assert document.places["b", "c"] == Spot(3, 6)


def test_columns_count_characters_not_bytes() -> None:
    (document,) = parse("{é😀: x, b: y}\n".encode(), "f.yaml").documents

    assert document.places["b",] == Spot(1, 12)


def test_a_few_aliases_are_written_out() -> None:
    parsed = parse(b"a: &x [1, {b: 2}]\nc: *x\nd: &y text\ne: *y\n", "f.yaml")

    assert parsed.problems == ()
    assert parsed.documents[0].value == {"a": [1, {"b": 2}], "c": [1, {"b": 2}], "d": "text", "e": "text"}


def test_yaml_1_2_may_be_declared() -> None:
    parsed = parse(b"%YAML 1.2\n---\na: no\n", "f.yaml")

    assert parsed.problems == ()
    assert parsed.documents[0].value == {"a": "no"}


def test_of_a_key_that_is_there_twice_the_first_value_is_kept_and_both_lines_are_named() -> None:
    parsed = parse(b"a: 1\nb: {x: 1}\na: {y: 2}\n", "f.yaml")

    (problem,) = parsed.problems
    assert (problem.code, problem.line, problem.column) == ("GT112", 3, 1)
    assert "line 1" in problem.message
    assert "line 3" in problem.message
    assert parsed.documents[0].value == {"a": 1, "b": {"x": 1}}


def test_what_comes_before_a_break_is_kept() -> None:
    (document,) = parse(b"kind: A\nmetadata: {name: x}\nspec: [1, 2\n", "f.yaml").documents

    assert not document.whole
    assert isinstance(document.value, dict)
    assert document.value["metadata"] == {"name": "x"}


def test_a_broken_document_hides_nothing_in_the_others() -> None:
    parsed = parse(b'a: "x\n---\nb: !t y\n---\nc: 1\n', "f.yaml")

    assert [(p.code, p.line, p.column) for p in parsed.problems] == [("GT122", 1, 4), ("GT111", 3, 4)]
    assert [d.whole for d in parsed.documents] == [False, True, True]
    assert [d.valid for d in parsed.documents] == [False, False, True]


def test_a_missing_comma_names_the_line_of_the_bracket_in_the_file() -> None:
    (problem,) = parse(b"a: 1\n---\nb: {\n  c: 1\n  d: 2\n}\n", "f.yaml").problems

    assert problem.code == "GT121"
    assert (problem.line, problem.column) == (5, 4)
    assert "line 3" in problem.message


@pytest.mark.parametrize(
    "number", [".inf", "-.INF", ".nan", ".NaN", "1e400", "9" * 31, "0x" + "f" * 40, "1." + "0" * 80]
)
def test_a_number_that_cannot_be_meant_is_refused(number: str) -> None:
    (problem,) = parse(f"a: {number}\n".encode(), "f.yaml").problems

    assert (problem.code, problem.line, problem.column) == ("GT114", 1, 4)

"""What is written reads back as what it was."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.documents import dump, parse, read_back

TEXTS = st.text() | st.text(alphabet="ab \n-:#\t|>\"'{}[]&*!%@`,?.0123456789eEyno~\r\u2028\u202e\x00é😀")
NUMBERS = st.integers(-(10**28), 10**28) | st.floats(allow_nan=False, allow_infinity=False)
KEYS = TEXTS.filter(lambda text: len(text) <= 200)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
@settings(max_examples=600, deadline=None)
def test_what_is_written_reads_back_equal(value: object) -> None:
    text = dump(value)  # type: ignore[arg-type] # any plain value
    parsed = parse(text.encode(), "f.yaml")

    assert parsed.problems == ()
    read = parsed.documents[0].value if parsed.documents else None
    assert repr(read) == repr(value)


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=5))
@settings(max_examples=250, deadline=None)
def test_a_mapping_we_wrote_is_read_the_short_way_as_the_long_one_reads_it(value: dict[str, object]) -> None:
    found = read_back(dump(value).encode())  # type: ignore[arg-type] # any plain value

    assert repr(found) == repr(value)


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=5), st.data())
@settings(max_examples=250, deadline=None)
def test_of_text_somebody_else_wrote_the_short_way_says_what_the_long_one_says_or_nothing(
    value: dict[str, object], data: st.DataObject
) -> None:
    text = dump(value)  # type: ignore[arg-type] # any plain value
    at = data.draw(st.integers(0, len(text)))
    other = text[:at] + data.draw(TEXTS) + text[at + data.draw(st.integers(0, 3)) :]
    found = read_back(other.encode("utf-8", "replace"))

    if found is not None:
        parsed = parse(other.encode("utf-8", "replace"), "f.yaml")
        assert parsed.problems == ()
        assert repr(parsed.documents[0].value) == repr(found)


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"a", b"- a\n", b"{}\n", b"a: 1", b"a:  1\n", b"a: b # c\n", b"\xff: 1\n"]
)
def test_what_is_no_mapping_of_ours_is_not_read_the_short_way(data: bytes) -> None:
    assert read_back(data) is None


def test_what_is_longer_than_any_usual_status_is_not_read_the_short_way() -> None:
    assert read_back(dump({"a": "b" * (1 << 16)}).encode()) is None


def test_a_status_looks_as_a_person_would_write_it() -> None:
    text = dump(
        {
            "apiVersion": "gitune.dev/v1alpha1",
            "conditions": [{"type": "Ready", "status": "True", "message": "all is well: it serves"}],
            "active": {"model": "tunedModels/a-b-1", "attempt": 1, "score": 0.5},
            "started": "2025-01-01T00:00:00Z",
            "country": "no",
            "retired": [],
            "labels": {},
            "pending": None,
            "message": "first line\n  second: line\n",
            "matrix": [[1, 2], ["a"]],
        }
    )

    assert text == (
        "apiVersion: gitune.dev/v1alpha1\n"
        "conditions:\n"
        "  - type: Ready\n"
        '    status: "True"\n'
        '    message: "all is well: it serves"\n'
        "active:\n"
        "  model: tunedModels/a-b-1\n"
        "  attempt: 1\n"
        "  score: 0.5\n"
        'started: "2025-01-01T00:00:00Z"\n'
        'country: "no"\n'
        "retired: []\n"
        "labels: {}\n"
        "pending: null\n"
        "message: |\n"
        "  first line\n"
        "    second: line\n"
        "matrix:\n"
        "  - - 1\n"
        "    - 2\n"
        "  - - a\n"
    )


@pytest.mark.parametrize("text", ["a\nb", "a\nb\n", "a\nb\n\n\n", "a\n\n\nb\n", "a\n b\n\tc\n", "---\nb\n", "a\n...\n"])
def test_several_lines_are_a_block_that_keeps_every_line_end(text: str) -> None:
    written = dump({"a": text, "b": 1})

    assert written.startswith("a: |")
    assert parse(written.encode(), "f.yaml").documents[0].value == {"a": text, "b": 1}


@pytest.mark.parametrize(
    "word",
    ["no", "Yes", "on", "y", "null", "True", "0", "1e3", "1:30", "2024-01-01", "", "a: b", "<<", "a #b", " a", "-"],
)
def test_a_text_that_some_reader_takes_for_something_else_is_quoted(word: str) -> None:
    assert dump([word]) == f'- "{word}"\n'


@pytest.mark.parametrize("value", [math.nan, math.inf, 10**30, {"k" * 201: 1}])
def test_what_could_not_be_read_back_is_not_written(value: object) -> None:
    with pytest.raises(ValueError, match=r"written|digits|characters"):
        dump({"a": value})  # type: ignore[dict-item] # what is refused


def test_a_value_deeper_than_the_reader_goes_is_not_written() -> None:
    value: object = []
    for _ in range(51):
        value = [value]

    with pytest.raises(ValueError, match="50 levels"):
        dump(value)  # type: ignore[arg-type] # a list of lists

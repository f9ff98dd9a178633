"""A file is read as it comes, and the fast reader never says another thing than the strict one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.dataset import Layout, Loaded, Rules, json_lines, load
from controller.dataset.reading import Reading
from controller.dataset.repeats import Few
from controller.errors import Problem
from controller.providers.gemini.facts import FACTS
from controller.state.desired import Example

TEXT = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(
    ["\\", '"', '\\"', "\\\\", "\x00", "\x7f", "\b", "\u2028", "\ufffd", "\xad", "e\u0301", "\U0001f600", ": ", '": "']
)
VALUE = st.recursive(
    TEXT | st.none() | st.booleans() | st.integers() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
MARKED = TEXT.map(json.dumps) | TEXT.map(lambda text: json.dumps(text, ensure_ascii=False))
PAIR = st.tuples(MARKED, MARKED).map(lambda texts: f'{{"text_input": {texts[0]}, "output": {texts[1]}}}')
OTHER = st.tuples(MARKED, MARKED, MARKED, VALUE.map(json.dumps)).map(
    lambda parts: f'{{"output":{parts[0]},{parts[1]}:{parts[2]},"text_input":{parts[0]},{parts[1]}: {parts[3]}}}'
)
BROKEN = st.sampled_from(
    [
        *("", " ", "{", "}", "[]", '"', "\\", "{}", "null", '{"output": NaN}', '{"a": 1, "a": 2}', '{"a": 1,}'),
        *(r'{"text_input": "\ud800", "output": "b"}', '{"text_input": "a", "text_input": "a", "output": "b"}'),
        *('{"text_input": "a", "output": "b"} {}', '{"text_input": "a", "outp\\u0075t": "b"}', "[[[[" * 20, '{"":""}'),
        '{"text_input": "a", "output": "b", "output": "\\\\"}',
    ]
)
FILE = st.lists(PAIR | OTHER | BROKEN, max_size=8).map("\n".join)


def told(data: bytes) -> tuple[list[tuple[int, Example]], tuple[Problem, ...]]:
    reading = Reading(lambda: [data], "a.jsonl", Layout())
    rows = [row for batch in reading for row in zip(batch.lines, batch.examples, strict=True)]
    return rows, reading.problems


def loaded(chunks: Sequence[bytes]) -> Loaded:
    return load(lambda: iter(chunks), "a.jsonl", Layout(), Rules(FACTS.examples))


@given(FILE)
@settings(max_examples=400, deadline=None)
def test_the_fast_reader_and_the_strict_one_never_disagree(text: str) -> None:
    data = text.encode()
    fast = told(data)
    with pytest.MonkeyPatch.context() as strict:
        strict.setattr(json_lines._Lines, "_texts_alone", lambda *_: None)
        strict.setattr(json_lines, "_is_sure", lambda *_: False)
        slow = told(data)

    assert fast == slow


@given(st.lists(PAIR | BROKEN, max_size=8).map("\n".join), st.lists(st.integers(0, 400), max_size=5))
@settings(deadline=None)
def test_where_a_file_is_cut_into_chunks_changes_nothing(text: str, cuts: list[int]) -> None:
    data = text.encode()
    places = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
    chunks = [data[start:end] for start, end in pairwise(places)]

    whole, parts = loaded([data]), loaded(chunks)

    assert (whole.dataset, whole.problems, whole.count) == (parts.dataset, parts.problems, parts.count)


def test_rows_are_handed_on_before_the_file_ends() -> None:
    taken = []

    def source() -> Iterator[bytes]:
        for number in range(9):
            taken.append(number)
            yield json.dumps({"text_input": f"{number}" * 9000, "output": "b"}).encode() + b"\n"

    batches = iter(Reading(source, "a.jsonl", Layout()))
    next(batches)

    assert taken == [0]


def test_the_first_few_of_many_pairs_are_found_in_whatever_order_they_come() -> None:
    few = Few()
    for late in (9, 4, 7, 2, 8, 3):
        few.add(late, late - 1)

    assert (few.count, few.first) == (6, [(2, 1), (3, 2), (4, 3)])


def test_what_a_huge_file_says_takes_no_more_room_than_what_a_small_one_says() -> None:
    row = b'{"text_input": "canary", "output": ""}\n\n'
    few, many = loaded([row] * 600), loaded([row] * 6000)

    assert [p.code for p in few.problems] == [p.code for p in many.problems]
    assert all(len(p.message) < 200 for p in many.problems)

"""What holds for any bytes and any examples."""

import csv
import io
import json
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.dataset import Layout, Rules, difference
from controller.dataset.loading import digest
from controller.dataset.problems import CODES
from controller.dataset.rows import Format
from controller.providers.gemini.facts import FACTS
from controller.state.desired import Example
from tests.dataset.passes import check, read_examples, tallied

LIMITS = FACTS.examples

FORMATS: tuple[Format, ...] = ("jsonl", "json", "csv")
TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
EXAMPLES = st.lists(st.builds(Example, TEXT, TEXT), min_size=1, max_size=12)
FRAGMENTS = st.lists(
    st.sampled_from(
        [
            *(
                '{"text_input": "a", "output": "b"}',
                "text_input,output\n",
                '"',
                "\\",
                ",",
                "\n",
                "\r",
                "[",
                "]",
                "{",
                "}",
            ),
            *('"text_input":', '"output":', "NaN", "-Infinity", "null", "1e999", r"\ud800", "\ufeff", " ", "\x00", "é"),
        ]
    ),
    max_size=25,
).map(lambda parts: "".join(parts).encode())


def written(examples: list[Example], layout: Format) -> bytes:
    rows = [{"output": e.output, "id": n, "text_input": e.text_input} for n, e in enumerate(examples)]
    match layout:
        case "jsonl":
            return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()
        case "json":
            return json.dumps(rows, indent=2, sort_keys=True).encode()
        case _:
            file = io.StringIO()
            table = csv.DictWriter(file, ["text_input", "id", "output"], quoting=csv.QUOTE_ALL)
            table.writeheader()
            table.writerows(rows)
            return file.getvalue().encode()


@given(st.binary(max_size=200) | FRAGMENTS, st.sampled_from(FORMATS))
@settings(max_examples=300, deadline=None)
def test_any_bytes_give_rows_or_problems_and_never_an_exception(data: bytes, layout: Format) -> None:
    read = read_examples(data, "any", Layout(format=layout, prefix="p"))
    problems = (
        *read.problems,
        *check(read, Rules(replace(LIMITS, inline_bytes=10), task_type="classification", evaluation=tallied(read))),
    )

    assert read.rows or not read.whole
    assert all(p.code in CODES and p.line >= 0 and p.column >= 0 and p.hint for p in problems)
    assert all(1 <= row.line <= data.count(b"\n") + 1 for row in read.rows)
    assert len(digest(read.examples)) == 64


@given(EXAMPLES)
@settings(deadline=None)
def test_the_digest_knows_no_format_and_no_order_of_keys(examples: list[Example]) -> None:
    named = set()
    for layout in FORMATS:
        read = read_examples(written(examples, layout), f"a.{layout}", Layout())
        assert read.problems == ()
        assert list(read.examples) == examples
        named.add(digest(read.examples))

    assert named == {digest(examples)}


@given(EXAMPLES, EXAMPLES)
def test_two_lists_have_one_digest_only_if_they_are_equal(one: list[Example], other: list[Example]) -> None:
    assert (digest(one) == digest(other)) == (one == other)


@given(st.lists(st.lists(TEXT, min_size=2, max_size=2), min_size=1, max_size=8), st.booleans())
def test_csv_is_read_as_the_standard_library_reads_it(table: list[list[str]], quoted: bool) -> None:  # noqa: FBT001 -- drawn by hypothesis
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL).writerows(
        [["text_input", "output"], *table]
    )
    text = file.getvalue()

    read = read_examples(text.encode(), "a.csv", Layout())

    if read.problems == ():
        theirs = list(csv.reader(io.StringIO(text, newline=""), strict=True))[1:]
        assert [[e.text_input, e.output] for e in read.examples] == theirs


@given(EXAMPLES, EXAMPLES)
def test_a_difference_adds_up(before: list[Example], after: list[Example]) -> None:
    found = difference(before, after)

    assert len(before) - found.removed + len(found.added) == len(after)
    assert min(found.removed, found.duplicates, found.contradictions) >= 0
    assert len({*found.added, *found.edited}) == len(found.added) + len(found.edited)
    assert len(difference(after, before).edited) == len(found.edited)


@given(EXAMPLES)
def test_nothing_differs_from_itself(examples: list[Example]) -> None:
    found = difference(examples, examples)

    assert (found.added, found.removed, found.edited, found.reordered) == ((), 0, (), False)

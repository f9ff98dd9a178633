"""No text can make the reader fail, recurse or take long: each limit is an error at a line."""

import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.documents import LIMITS, FileLimits, parse

N = 100_000
# What is read, the code it ends with, and the line and column.
BOMBS = {
    "nested brackets": ("[" * N, "GT107", 1, 52),
    "nested brackets on lines of their own": ("[\n" * N, "GT107", 52, 1),
    "nested braces": ("{" * N, "GT107", 1, 52),
    "nested braces with keys": ("{a: " * (N // 4), "GT107", 1, 205),
    "nested dashes": ("- " * (N // 2), "GT107", 1, 101),
    "nested dashes on lines": ("".join(" " * i + "-\n" for i in range(1200)), "GT107", 51, 51),
    "nested keys on lines": ("".join(" " * i + "k:\n" for i in range(1200)), "GT107", 51, 51),
    "nested question marks": ("? " * (N // 2), "GT107", 1, 101),
    "a million digits": ("a: " + "9" * 1_000_000, "GT115", 1, 1),
    "a million hexadecimal digits": ("a: 0x" + "f" * 1_000_000, "GT115", 1, 1),
    "words without end": ("a: " + "x y " * 200_000, "GT115", 1, 1),
    "too large a file": ("a" * (LIMITS.size + 1), "GT106", 1, 1),
    "too many documents": ("--- a\n" * N, "GT116", 501, 1),
    "empty documents": ("---\n" * 200_000, None, 0, 0),
    "aliases": ("a: &a x\nb: [" + "*a, " * 20_000 + "]", "GT108", 2, 85),
    "aliases on lines": ("- &a x\n" + "- *a\n" * N, "GT108", 22, 3),
    "laughs": (
        "a0: &a0 [x, x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}, *a{i - 1}]\n" for i in range(1, 30)),
        "GT108",
        8,
        20,
    ),
    "aliases of a long list": (
        "a: &a [" + "x, " * 20_000 + "]\nb: [" + "*a, " * 10 + "]",
        "GT127",
        2,
        17,
    ),
    "aliases of a deep list": ("a: &a " + "[" * 30 + "]" * 30 + "\nb: " + "[" * 30 + "*a", "GT107", 2, 34),
    "merge keys": ("a: &a {x: 1}\n" + "".join(f"b{i}: {{<<: *a}}\n" for i in range(10_000)), "GT108", 22, 11),
    "anchors": ("".join(f"- &a{i} x\n" for i in range(20_000)), None, 0, 0),
    "tabs": ("\t" * 50_000, None, 0, 0),
    "right-to-left overrides": ("\u202e" * 50_000, "GT103", 1, 1),
    "byte-order marks": ("\ufeff" * 50_000, "GT104", 1, 1),
    "open quotes": ('"' * 50_000, "GT124", 1, 3),
    "anchors in a row": ("&a " * N, None, 0, 0),
    "colons": ("a: " * 30_000, "GT123", 1, 5),
    "directives": ("%a\n" * N, "GT117", 1, 1),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_hostile_text_ends_at_a_line_within_a_second_of_work(bomb: str) -> None:
    text, code, line, column = BOMBS[bomb]
    start = time.process_time()

    parsed = parse(text.encode(), "f.yaml")

    assert time.process_time() - start < 4.0, "the limit is far above what it takes, for machines under load"
    assert all(p.hint for p in parsed.problems)
    if code:
        assert (code, line, column) in [(p.code, p.line, p.column) for p in parsed.problems]


@pytest.mark.parametrize(
    ("limits", "text", "code", "line"),
    [
        (FileLimits(tokens=50), "- a\n" * 100, "GT127", 26),
        (FileLimits(nodes=10), "- a\n" * 100, "GT127", 10),
        (FileLimits(scalar=10), "a: b\nc: |\n  12345\n  67890\n", "GT115", 2),
        (FileLimits(line=10), "a: b\nc: 1234567890\n", "GT115", 2),
        (FileLimits(documents=2), "--- a\n--- b\n--- c\n", "GT116", 3),
        (FileLimits(size=5), "a: bcd\n", "GT106", 1),
        (FileLimits(aliases=1), "- &a b\n- *a\n- *a\n", "GT108", 3),
        (FileLimits(depth=2), "a:\n  b:\n    c: 1\n", "GT107", 3),
    ],
)
def test_a_caller_may_set_closer_limits(limits: FileLimits, text: str, code: str, line: int) -> None:
    problems = parse(text.encode(), "f.yaml", limits).problems

    assert [(p.code, p.line) for p in problems] == [(code, line)]


def test_fifty_levels_are_read() -> None:
    parsed = parse(("[" * 50 + "]" * 50).encode(), "f.yaml")

    assert parsed.problems == ()


def test_an_alias_inside_its_own_value_ends() -> None:
    (problem,) = parse(b"a: &a [1, *a]\n", "f.yaml").problems

    assert (problem.code, problem.line, problem.column) == ("GT109", 1, 11)


@pytest.mark.parametrize(
    "character", [chr(n) for n in range(0x20) if chr(n) not in "\t\n\r"] + ["\x7f", "\x85", "\ufffe"]
)
def test_a_control_character_is_refused_at_its_place(character: str) -> None:
    (problem,) = parse(f"a: 1\nb: x{character}y\n".encode(), "f.yaml").problems

    assert (problem.code, problem.line, problem.column) == ("GT102", 2, 5)
    assert f"U+{ord(character):04X}" in problem.message


@pytest.mark.parametrize("character", "\u200b\u200e\u200f\u202a\u202e\u2028\u2066\u2069\u061c\ufeff")
def test_a_character_that_cannot_be_seen_is_refused_also_in_a_comment(character: str) -> None:
    (problem,) = parse(f"a: 1 # x{character}y\n".encode(), "f.yaml").problems

    assert (problem.code, problem.line, problem.column) == ("GT103", 1, 9)
    assert unicodedata.name(character, "") in problem.message


@given(st.binary(max_size=2000))
@settings(max_examples=400, deadline=None)
def test_no_bytes_raise_anything(data: bytes) -> None:
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n") + 1

    for problem in parse(data, "f.yaml").problems:
        assert 1 <= problem.line <= lines
        assert problem.column >= 1
        assert problem.code.startswith("GT1")
        assert problem.hint


INDICATORS = st.text(alphabet="ab1.-:?#&*!|>'\"%@`{}[], \n\t\\xuU~=<0", max_size=200)


@given(INDICATORS)
@settings(max_examples=1500, deadline=None)
def test_no_heap_of_indicators_raises_anything(text: str) -> None:
    parsed = parse(text.encode(), "f.yaml")

    for document in parsed.documents:
        assert document.whole or not document.valid
        for spot in (*document.places.values(), *document.keys.values()):
            assert 1 <= spot.line <= text.count("\n") + 1
    for problem in parsed.problems:
        assert 1 <= problem.line <= text.count("\n") + 1


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_of_a_document_full_of_problems_the_first_hundred_are_told(end: str) -> None:
    parsed = parse(f"a: 1{end}".encode() * 5_000, "f.yaml", FileLimits())

    assert [p.code for p in parsed.problems].count("GT112") == 100
    assert [(p.line, p.code) for p in parsed.problems][-1] == (101, "GT130")
    assert not parsed.documents[0].whole

"""What cannot be seen in a text is said, by name, and never makes two texts different that look the same."""

import json
import unicodedata

import pytest

from controller.dataset import Layout, Rules
from controller.dataset.invisible import comparable, invisible, written_apart
from controller.dataset.rows import TaskType
from controller.engine.score import METRICS
from controller.errors import Problem, Severity
from controller.providers.gemini.facts import FACTS
from tests.dataset.passes import load, read_examples, tallied

Pairs = list[tuple[str, str]]


def rows(count: int = 30) -> Pairs:
    return [(f"canary sentence {n}", f"label{n % 3}") for n in range(count)]


def problems(pairs: Pairs, task: TaskType = "classification", evaluation: Pairs | None = None) -> list[Problem]:
    held = read_examples(_file(evaluation), "eval.jsonl", Layout()) if evaluation else None
    return list(load(_file(pairs), "a.jsonl", Layout(), Rules(FACTS.examples, task, tallied(held))).problems)


def _file(pairs: Pairs) -> bytes:
    return "".join(json.dumps({"text_input": i, "output": o}) + "\n" for i, o in pairs).encode()


def of(code: str, found: list[Problem]) -> list[Problem]:
    return [p for p in found if p.code == code]


@pytest.mark.parametrize(
    ("character", "name"),
    [
        ("\u200b", "ZERO WIDTH SPACE (U+200B)"),
        ("\u00ad", "SOFT HYPHEN (U+00AD)"),
        ("\u200e", "LEFT-TO-RIGHT MARK (U+200E)"),
        ("\u202e", "RIGHT-TO-LEFT OVERRIDE (U+202E)"),
        ("\u2066", "LEFT-TO-RIGHT ISOLATE (U+2066)"),
        ("\u2060", "WORD JOINER (U+2060)"),
        ("\ufeff", "ZERO WIDTH NO-BREAK SPACE (U+FEFF)"),
        ("\u3164", "HANGUL FILLER (U+3164)"),
        ("\u034f", "COMBINING GRAPHEME JOINER (U+034F)"),
        ("\ufe0f", "VARIATION SELECTOR-16 (U+FE0F)"),
        ("\u200d", "ZERO WIDTH JOINER (U+200D)"),
        ("\U000e0041", "a tag character (U+E0000 to U+E007F)"),
        ("\U000e0120", "a variation selector (U+E0100 to U+E01EF)"),
        ("\u2065", "an invisible character (U+2065)"),
    ],
)
@pytest.mark.parametrize("column", [0, 1])
def test_an_invisible_character_is_a_warning_with_its_line_and_name(character: str, name: str, column: int) -> None:
    pairs = rows()
    pairs[6] = (f"canary{character}x", "label0") if column == 0 else ("canary 6", f"lab{character}el0")
    (problem,) = of("GT224", problems(pairs))

    assert (problem.file, problem.line, problem.severity) == ("a.jsonl", 7, Severity.WARNING)
    assert problem.message == f"column '{('text_input', 'output')[column]}' holds {name}, which cannot be seen"


@pytest.mark.parametrize(
    "text",
    [
        "👨‍👩‍👧‍👦 family",
        "🏳️‍🌈 ❤️‍🔥 ❤️ ☎︎ ©️ ™️ \u2139️ ‼️ 〰️",
        "👩🏽‍💻 🤷🏽‍♂️",
        "1️⃣ #️⃣",
        "🏴󠁧󠁢󠁳󠁣󠁴󠁿 flag of Scotland",
        "می‌خواهم",
        "क्‍ष ශ්‍රී",
        "葛󠄀城",
        "no\u00a0break",
        "ᠠ᠋ Mongolian",
        "cafe\u0301",
    ],
)
def test_what_belongs_to_an_emoji_or_a_script_is_not_warned_of(text: str) -> None:
    assert invisible(text) == ()


@pytest.mark.parametrize(
    "text", ["😀\ufe0f\U000e0141\U000e0142", "🏴\U000e0067", "a\u200db", "😀\u200d", "e\ufe0f", "\u200c"]
)
def test_the_same_characters_are_warned_of_where_they_have_no_use(text: str) -> None:
    assert invisible(text)


def test_text_hidden_in_tags_is_not_spelt_out() -> None:
    hidden = "".join(chr(0xE0000 + ord(letter)) for letter in "canary")

    assert invisible(f"hello{hidden}") == ("a tag character (U+E0000 to U+E007F)",)


@pytest.mark.parametrize("nothing", ["\u200b", "\u200b\u2060", " \u200b\n", "\u3164", "\ufeff"])
def test_a_text_of_nothing_but_invisible_characters_is_empty(nothing: str) -> None:
    for pair in (("canary", nothing), (nothing, "label0")):
        (problem,) = of("GT202", problems([*rows(), pair]))

        assert (problem.line, problem.severity) == (31, Severity.ERROR)
        assert of("GT224", problems([*rows(), pair])) == []


APART = unicodedata.normalize("NFD", "canary café")


def test_letters_apart_from_their_accents_are_a_warning_and_the_usual_order_of_marks_is_not() -> None:
    (problem,) = of("GT225", problems([*rows(), (APART, "label0")]))

    assert (problem.line, problem.severity) == (31, Severity.WARNING)
    assert of("GT225", problems([*rows(), ("canary café", "label0")])) == []
    assert not written_apart("\u0645\u064f\u062d\u064e\u0645\u0651\u064e\u062f")  # vocalised Arabic as it is typed


SAME = [("canary café", APART), ("canary x", "can\u200bary\u00ad x"), ("canary ❤️", "canary ❤")]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_texts_that_look_the_same_are_compared_as_the_same(one: str, other: str) -> None:
    start = [*rows(), (one, "label0")]

    assert [p.line for p in of("GT209", problems([*start, (other, "label0")]))] == [32]
    assert [p.line for p in of("GT210", problems([*start, (other, "label1")]))] == [32]
    assert [p.line for p in of("GT211", problems(start, evaluation=[(other, "label0")]))] == [31]
    assert of("GT209", problems([*start, ("canary another", "label0")])) == []


@pytest.mark.parametrize(("one", "other"), SAME)
def test_labels_that_look_the_same_are_one_label(one: str, other: str) -> None:
    pairs = [(f"canary sentence {n}", one if n % 2 else "other") for n in range(30)]
    odd = [*pairs, ("canary odd", other)]

    assert [p.line for p in of("GT218", problems(odd))] == [31]
    assert of("GT219", problems(pairs, evaluation=[("canary asked", other)])) == []
    assert [p.line for p in of("GT219", problems(pairs, evaluation=[("canary asked", "third")]))] == [1]
    assert METRICS["exactMatch"](one, other)
    assert not METRICS["exactMatch"](one, "third")


def test_one_output_in_two_encodings_is_one_output() -> None:
    pairs = [(f"canary {n}", "café" if n % 2 else "cafe\u0301") for n in range(30)]

    assert len(of("GT217", problems(pairs, "other"))) == 1


def test_a_label_of_the_structure_is_found_behind_an_invisible_character() -> None:
    pairs = [(f"question: canary {n} context: canary", "x") for n in range(30)]
    pairs[4] = ("ques\u200btion: canary context: canary", "x")

    assert of("GT212", problems(pairs, "other")) == []


def test_what_is_sent_and_its_digest_keep_every_character() -> None:
    pairs = [*rows(), (APART, "lab\u200bel0")]
    loaded = load(_file(pairs), "a.jsonl", Layout(), Rules(FACTS.examples))
    plain = load(_file([*rows(), (comparable(APART), "label0")]), "a.jsonl", Layout(), Rules(FACTS.examples))

    assert loaded.dataset
    assert plain.dataset
    *_, last = loaded.dataset.examples
    assert (last.text_input, last.output) == pairs[-1]
    assert loaded.dataset.digest != plain.dataset.digest

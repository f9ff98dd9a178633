"""Conversations are the same examples in whatever shape people export them, and what cannot be sent is said."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from controller.dataset import Layout, Rules
from controller.dataset.loading import digest
from controller.dataset.rows import Learn, Shape
from controller.errors import Severity
from controller.providers.gemini.facts import FACTS
from controller.state.desired import Example, Exchange
from controller.state.facts import Turns
from tests.dataset.passes import load, read_examples
from tests.dataset.writing import SHAPES, Row, conversations, lines, messages, weighted

TAKES_ALL = replace(FACTS.examples, system=True, turns=Turns.ANY)
RULES = Rules(TAKES_ALL)
MANY = int(os.environ.get("GITUNE_TEST_CONVERSATIONS", "3000"))
VECTORS = json.loads((Path(__file__).parent / "golden_shapes.json").read_text("utf-8"))
TURNS: list[Row] = [{"role": "user", "content": "canary hello"}, {"role": "assistant", "content": "canary hi"}]


def data(*rows: Row) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def told(*rows: Row, layout: Layout | None = None) -> list[str]:
    """Codes and messages, with nothing of a row in them."""
    problems = read_examples(data(*rows), "a.jsonl", layout or Layout()).problems
    assert "canary" not in "".join(p.message + p.hint for p in problems).lower()
    assert all(p.severity is Severity.ERROR and p.hint for p in problems)
    return [f"{p.code} {p.message}" for p in problems]


def examples(*rows: Row, layout: Layout | None = None) -> tuple[Example, ...]:
    read = read_examples(data(*rows), "a.jsonl", layout or Layout())
    assert read.problems == ()
    return read.examples


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_conversations_have_one_fingerprint_in_every_shape(shape: str, *, ascii_only: bool) -> None:
    meant = list(conversations(MANY, seed=7))

    loaded = load(lines(meant, SHAPES[shape], ascii_only=ascii_only), "a.jsonl", Layout(), RULES)

    assert loaded.dataset is not None
    assert loaded.dataset.digest == digest(meant)
    assert loaded.count == MANY
    if MANY < 10_000:
        assert list(loaded.dataset.examples) == meant


def test_what_a_row_says_is_learned_is_in_the_fingerprint() -> None:
    meant = list(conversations(200, seed=8, learned=True))

    loaded = load(lines(meant, weighted), "a.jsonl", Layout(learn="all"), RULES)

    assert loaded.dataset is not None
    assert loaded.dataset.digest == digest(meant)
    assert digest(meant) != digest(conversations(200, seed=8))


@pytest.mark.parametrize("name", VECTORS)
def test_a_golden_vector_of_a_shape(name: str) -> None:
    vector = VECTORS[name]
    layout = Layout(**vector.get("layout", {}))

    loaded = load(vector["file"].encode(), f"a.{vector.get('format', 'jsonl')}", layout, RULES)

    assert loaded.dataset is not None, loaded.problems
    assert (loaded.dataset.shape, loaded.dataset.digest) == (vector["shape"], vector["digest"])


def test_the_golden_vectors_cover_every_shape_and_are_in_the_documentation() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "datasets.md").read_text("utf-8")

    assert {v["shape"] for v in VECTORS.values()} == {
        *("pairs", "messages", "contents", "promptCompletion", "alpaca", "sharegpt")
    }
    assert [name for name, vector in VECTORS.items() if vector["digest"] not in page] == []


def test_a_pair_written_as_messages_is_the_pair() -> None:
    assert examples({"messages": TURNS}) == (Example("canary hello", "canary hi"),)
    loaded = load(data({"messages": TURNS}), "a.jsonl", Layout(), RULES)
    assert loaded.dataset is not None
    assert loaded.dataset.digest == digest([Example("canary hello", "canary hi")])


@pytest.mark.parametrize(("learn", "learned"), [("last", False), ("all", True)])
def test_of_several_turns_the_last_is_learned_or_all(learn: Learn, *, learned: bool) -> None:
    (example,) = examples({"messages": [*TURNS, *TURNS]}, layout=Layout(learn=learn))

    assert example.earlier == (Exchange("canary hello", "canary hi", learned),)


@pytest.mark.parametrize("shape", [None, "pairs"])
def test_a_system_message_of_the_spec_is_for_rows_that_carry_none(shape: Shape | None) -> None:
    own: Row = {"messages": [{"role": "developer", "content": "canary own"}, *TURNS]}
    layout = Layout(system="canary default", shape=shape)

    if shape == "pairs":
        assert [e.system for e in examples({"text_input": "a", "output": "b"}, layout=layout)] == ["canary default"]
    else:
        assert [e.system for e in examples(own, {"messages": TURNS}, layout=layout)] == ["canary own", "canary default"]


def test_the_prefix_stands_before_the_first_turn_of_the_user() -> None:
    (one, several) = examples({"messages": TURNS}, {"messages": [*TURNS, *TURNS]}, layout=Layout(prefix="P: "))

    assert one.text_input == "P: canary hello"
    assert (several.earlier[0].text_input, several.text_input) == ("P: canary hello", "canary hello")


ODD: dict[str, tuple[Sequence[Row], str]] = {
    "tools of a row": (
        [{"messages": TURNS, "tools": [{"type": "function"}]}],
        "GT268 the conversation holds tool calls ('tools')",
    ),
    "a call": (
        [{"messages": [TURNS[0], {"role": "assistant", "content": None, "tool_calls": [{}]}]}],
        "GT268 the conversation holds tool calls ('tool_calls')",
    ),
    "what a tool said": (
        [{"messages": [TURNS[0], {"role": "tool", "content": "canary"}]}],
        "GT268 the conversation holds tool calls ('role: tool')",
    ),
    "an image": (
        [
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "canary"}}]},
                    TURNS[1],
                ]
            }
        ],
        "GT268 the conversation holds an image, a sound or a file ('image_url')",
    ),
    "inline data": (
        [
            {
                "contents": [
                    {"role": "user", "parts": [{"inlineData": {"data": "canary"}}]},
                    {"role": "model", "parts": [{"text": "x"}]},
                ]
            }
        ],
        "GT268 the conversation holds an image, a sound or a file ('inlineData')",
    ),
    "a function call": (
        [
            {
                "contents": [
                    {"role": "user", "parts": [{"text": "canary"}]},
                    {"role": "model", "parts": [{"functionCall": {"name": "canary"}}]},
                ]
            }
        ],
        "GT268 the conversation holds tool calls ('functionCall')",
    ),
    "a speaker's name": (
        [{"messages": [{**TURNS[0], "name": "canary"}, TURNS[1]]}],
        "GT268 a turn carries the name of its speaker ('name')",
    ),
    "a refusal": (
        [{"messages": [TURNS[0], {"role": "assistant", "refusal": "canary"}]}],
        "GT268 a turn is a refusal ('refusal')",
    ),
    "a thought": (
        [
            {
                "contents": [
                    {"role": "user", "parts": [{"text": "canary"}]},
                    {"role": "model", "parts": [{"text": "canary", "thought": True}]},
                ]
            }
        ],
        "GT268 'parts' has a part that is no text",
    ),
    "no turns": ([{"messages": []}], "GT270 the conversation has no turns"),
    "only a system message": (
        [{"messages": [{"role": "system", "content": "canary"}]}],
        "GT270 the conversation has no turns",
    ),
    "ends with the user": (
        [{"messages": [*TURNS, TURNS[0]]}],
        "GT270 the conversation ends with the user's turn: nothing of it would be learned",
    ),
    "begins with the model": ([{"messages": TURNS[::-1]}], "GT270 the conversation begins with the model's turn"),
    "two of the user": ([{"messages": [TURNS[0], *TURNS]}], "GT270 two turns of the user follow each other"),
    "two of the model": ([{"messages": [*TURNS, TURNS[1]]}], "GT270 two turns of the model follow each other"),
    "two system messages": (
        [{"messages": [{"role": "system", "content": "canary"}] * 2 + TURNS}],
        "GT270 the conversation has two system messages",
    ),
    "system beside and inside": (
        [{"system": "canary", "messages": [{"role": "system", "content": "canary"}, *TURNS]}],
        "GT270 the conversation has two system messages",
    ),
    "a system message later": (
        [{"messages": [*TURNS, {"role": "system", "content": "canary"}]}],
        "GT270 a system message stands between the turns",
    ),
    "another role": (
        [{"messages": [{"role": "canary", "content": "canary"}]}],
        "GT270 a turn has a 'role' that is not read",
    ),
    "no role": ([{"messages": [{"content": "canary"}]}], "GT270 a turn has no 'role'"),
    "no content": ([{"messages": [{"role": "user"}]}], "GT252 a turn has no 'content'"),
    "null": ([{"messages": [{"role": "user", "content": None}]}], "GT253 'content' holds null, not text"),
    "a number for a part": (
        [{"messages": [{"role": "user", "content": [1]}]}],
        "GT253 'content' holds a number instead of a part",
    ),
    "a text for a turn": ([{"messages": ["canary"]}], "GT253 'messages' holds text instead of a turn"),
    "half a pair": (
        [{"messages": [{"role": "user", "content": "canary \ud800"}]}],
        "GT250 'content' holds half of a surrogate pair",
    ),
    "half a pair in a part": (
        [{"messages": [{"role": "user", "content": ["canary \ud800"]}]}],
        "GT250 'content' holds half of a surrogate pair",
    ),
    "weight 2": (
        [{"messages": [TURNS[0], {**TURNS[1], "weight": 2}]}],
        "GT273 a turn has a weight that is neither 0 nor 1",
    ),
    "a weight in words": (
        [{"messages": [TURNS[0], {**TURNS[1], "weight": True}]}],
        "GT273 a turn has a weight that is neither 0 nor 1",
    ),
    "weight 0 at the end": (
        [{"messages": [TURNS[0], {**TURNS[1], "weight": 0}]}],
        "GT273 the last turn of the model has weight 0: it is what is learned",
    ),
    "weight 1 before the end": (
        [{"messages": [TURNS[0], {**TURNS[1], "weight": 1}, *TURNS]}],
        "GT273 a turn of the model before the last has weight 1, and only the last one is learned",
    ),
    "a choice": (
        [{"prompt": "canary", "chosen": "canary", "rejected": "canary"}],
        "GT271 the row is a preference pair: an answer that is liked and one that is not",
    ),
    "OpenAI's choice": (
        [{"input": {}, "preferred_output": [], "non_preferred_output": []}],
        "GT271 the row is a preference pair: an answer that is liked and one that is not",
    ),
    "two shapes in one row": (
        [{"messages": TURNS, "prompt": "canary", "completion": "canary"}],
        "GT272 the rows can be read as 'promptCompletion' and as 'messages'",
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_what_cannot_be_sent_is_refused_by_name_and_never_dropped(name: str) -> None:
    rows, said = ODD[name]

    assert told(*rows) == [said]


def test_a_weight_of_nought_is_honoured_where_all_turns_are_learned() -> None:
    row: Row = {"messages": [TURNS[0], {**TURNS[1], "weight": 0}, TURNS[0], {**TURNS[1], "weight": 1.0}, *TURNS]}

    (example,) = examples(row, layout=Layout(learn="all"))
    assert [one.learned for one in example.exchanges] == [False, True, True]


def test_rows_of_another_shape_are_named_and_the_way_out_is_said() -> None:
    rows: list[Row] = [{"messages": TURNS}, {"messages": TURNS}, {"prompt": "canary", "completion": "canary"}]
    (problem,) = read_examples(data(*rows), "a.jsonl", Layout()).problems

    assert (problem.code, problem.line) == ("GT272", 3)
    assert problem.message == "the row is of the shape 'promptCompletion', and the file of the shape 'messages'"
    assert "`shape:`" in problem.hint


def test_a_shape_that_the_spec_says_outranks_what_rows_look_like() -> None:
    row: Row = {"messages": TURNS, "prompt": "canary", "completion": "yes"}

    assert examples(row, layout=Layout(shape="promptCompletion")) == (Example("canary", "yes"),)
    assert examples(row, layout=Layout(shape="messages")) == (Example("canary hello", "canary hi"),)
    assert told(row, layout=Layout(shape="contents")) == ["GT252 'contents' is missing"]
    assert told(row, layout=Layout(shape="sharegpt")) == ["GT252 'conversations' is missing"]


def test_most_of_the_first_rows_decide_and_a_first_row_that_is_odd_does_not() -> None:
    usual: Row = {"messages": TURNS}
    found = told({"text_input": "canary", "output": "b"}, *[usual] * 5)

    assert found == ["GT272 the row is of the shape 'pairs', and the file of the shape 'messages'"]


def test_checks_know_conversations(tmp_path: Path) -> None:
    base = [example for example in conversations(30, seed=3) if example.earlier]
    first = base[0]
    rows = [
        *base,
        first,
        Example(first.text_input, "canary other", first.system, first.earlier),
        Example(first.text_input, first.output, "canary other", first.earlier),
        Example(first.text_input, first.output, first.system, (Exchange(" ", "x"), *first.earlier)),
        Example("x" * 39_990, "ok", "y" * 11),
    ]
    problems = load(lines(rows, messages), "a.jsonl", Layout(), RULES).problems
    at = len(base) + 1

    assert {(p.code, p.line) for p in problems} >= {
        ("GT209", at),
        ("GT210", at + 1),
        ("GT202", at + 3),
        ("GT206", at + 4),
    }
    assert not [p for p in problems if p.code in ("GT209", "GT210") and p.line == at + 2]
    assert "a turn of the user is blank" in {p.message for p in problems}


def test_an_evaluation_set_of_conversations_is_kept_apart_from_the_training_set() -> None:
    meant = list(conversations(40, seed=5))
    held = load(lines(meant[3:5], SHAPES["sharegpt"]), "e.jsonl", Layout(), Rules(TAKES_ALL, is_evaluation=True))

    loaded = load(lines(meant, messages), "a.jsonl", Layout(), Rules(TAKES_ALL, evaluation=held.tally))

    (problem,) = [p for p in loaded.problems if p.code == "GT211"]
    assert problem.message == "line 4 is also line 1 of e.jsonl; line 5 is also line 2 of e.jsonl"


def test_a_repr_of_a_conversation_shows_nothing_of_it() -> None:
    example = Example("canary", "canary", "canary", (Exchange("canary", "canary"),))

    assert "canary" not in repr(example) + repr(example.exchanges)


SAID: dict[str, Callable[[Row], Row]] = {
    "conversations of messages": lambda row: {"conversations": row["messages"]},
    "conversation of messages": lambda row: {"conversation": row["messages"]},
}


@pytest.mark.parametrize("name", SAID)
def test_messages_under_the_name_of_another_shape_are_messages(name: str) -> None:
    assert examples(SAID[name]({"messages": TURNS})) == (Example("canary hello", "canary hi"),)


def kept_from(row: Row, *, system: bool = False, turns: Turns = Turns.NONE, learn: Learn = "last") -> set[str]:
    limits = replace(FACTS.examples, system=system, turns=turns)
    problems = load(data(row), "a.jsonl", Layout(learn=learn), Rules(limits)).problems
    assert "canary" not in "".join(p.message + p.hint for p in problems)
    return {p.code for p in problems} & {"GT274", "GT275"}


@pytest.mark.parametrize(
    ("turns", "last", "every", "some"),
    [
        (Turns.NONE, False, False, False),
        (Turns.LAST, True, False, False),
        (Turns.ALL, False, True, False),
        (Turns.LAST_OR_ALL, True, True, False),
        (Turns.ANY, True, True, True),
    ],
)
def test_what_a_provider_cannot_take_is_an_error_at_the_row(
    *, turns: Turns, last: bool, every: bool, some: bool
) -> None:
    several: Row = {"messages": [*TURNS, *TURNS, *TURNS]}
    mixed: Row = {"messages": [TURNS[0], {**TURNS[1], "weight": 0}, *TURNS, *TURNS]}

    assert (kept_from(several, turns=turns) == set()) is last
    assert (kept_from(several, turns=turns, learn="all") == set()) is every
    assert (kept_from(mixed, turns=turns, learn="all") == set()) is some
    assert kept_from({"messages": TURNS}, turns=turns) == set()


def test_a_system_message_is_an_error_where_the_provider_takes_none() -> None:
    row: Row = {"messages": [{"role": "system", "content": "canary"}, *TURNS]}

    assert kept_from(row) == {"GT275"}
    assert kept_from(row, system=True) == set()

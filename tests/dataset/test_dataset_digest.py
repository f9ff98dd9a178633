"""The digest over examples is frozen: a vector that fails means models would be paid for twice."""

import hashlib
import json
from pathlib import Path

import pytest

from controller.dataset import Layout, Rules, load
from controller.dataset.digest import DIGEST_VERSION
from controller.dataset.loading import digest
from controller.errors import Unreadable
from controller.providers.gemini.facts import FACTS
from controller.state.desired import Example, Exchange

VECTORS = json.loads((Path(__file__).parent / "golden_vectors.json").read_text("utf-8"))


@pytest.mark.parametrize("name", VECTORS)
def test_the_digest_is_what_it_was(name: str) -> None:
    vector = VECTORS[name]

    assert digest([Example(i, o) for i, o in vector["examples"]] * vector["times"]) == vector["digest"]


def test_the_definition_in_the_documentation_gives_the_same() -> None:
    preimage = b"gitune-examples/1\n"
    for text in ("1", "2", "né", "ü"):
        preimage += len(text.encode()).to_bytes(8, "big") + text.encode()

    assert digest([Example("1", "2"), Example("né", "ü")]) == hashlib.sha256(preimage).hexdigest()
    assert DIGEST_VERSION == "gitune-examples/1"


def test_moving_a_character_between_fields_or_rows_changes_the_digest() -> None:
    lists = [
        [Example("ab", "c"), Example("d", "e")],
        [Example("a", "bc"), Example("d", "e")],
        [Example("ab", "cd"), Example("", "e")],
        [Example("d", "e"), Example("ab", "c")],
        [Example("ab", "c")],
        [],
    ]

    assert len({digest(examples) for examples in lists}) == len(lists)


def test_every_vector_is_in_the_documentation() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "datasets.md").read_text("utf-8")

    assert [name for name, vector in VECTORS.items() if vector["digest"] not in page] == []


CONVERSATION = Example("and 2?", "3", "Say the next.", (Exchange("1", "2"), Exchange("7", "8", learned=True)))


def test_the_definition_of_a_conversation_in_the_documentation_gives_the_same() -> None:
    def text(said: str) -> bytes:
        return len(said.encode()).to_bytes(8, "big") + said.encode()

    turns = text("1") + text("2") + b"\0" + text("7") + text("8") + b"\1" + text("and 2?") + text("3") + b"\1"
    conversation = text("Say the next.") + (3).to_bytes(8, "big") + turns
    preimage = b"gitune-examples/1\n" + text("1") + text("2") + b"\xff" * 8 + b"gitune-conversation/1\n" + conversation

    assert digest([Example("1", "2"), CONVERSATION]) == hashlib.sha256(preimage).hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        Example("and 2?", "3"),
        Example("and 2?", "3", "Say the next."),
        Example("and 2?", "3", "", CONVERSATION.earlier),
        Example("and 2?", "3", "Say the next.", CONVERSATION.earlier[1:]),
        Example("and 2?", "3", "Say the next.", CONVERSATION.earlier[::-1]),
        Example("and 2?", "3", "Say the next.", (Exchange("1", "2"), Exchange("7", "8"))),
        Example("and 2?", "3", "Say the next.1", (Exchange("", "2"), Exchange("7", "8", learned=True))),
    ],
)
def test_whatever_a_model_would_see_or_learn_otherwise_changes_the_digest(other: Example) -> None:
    assert digest([other]) != digest([CONVERSATION])


def test_a_dataset_is_read_again_for_each_pass_and_a_pass_over_other_rows_fails_at_its_end() -> None:
    held = [b'{"text_input": "canary a", "output": "b"}\n', b'{"text_input": "canary c", "output": "d"}\n']
    dataset = load(lambda: tuple(held), "a.jsonl", Layout(), Rules(FACTS.examples)).dataset
    assert dataset is not None
    assert [list(dataset.examples), list(dataset.examples)] == [
        [Example("canary a", "b"), Example("canary c", "d")]
    ] * 2
    assert (dataset.count, dataset.characters, dataset.bytes) == (2, 18, 18)

    now = list(held)
    changed = load(lambda: tuple(now), "a.jsonl", Layout(), Rules(FACTS.examples)).dataset
    assert changed is not None
    for rows in ([held[0]], held[::-1], [*held, b"{}"], []):
        now[:] = rows
        with pytest.raises(Unreadable, match=r"a\.jsonl have changed") as caught:
            list(changed.examples)
        assert "canary" not in str(caught.value) + repr(changed)

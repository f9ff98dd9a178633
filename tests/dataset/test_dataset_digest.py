"""The digest over examples is frozen: a vector that fails means models would be paid for twice."""

import hashlib
import json
from pathlib import Path

import pytest

from controller.dataset.loading import DIGEST_VERSION, digest
from controller.state.desired import Example

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

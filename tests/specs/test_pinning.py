"""A digest is written where it belongs, and nothing else of the file changes."""

from __future__ import annotations

from difflib import ndiff

import pytest

from controller.errors import ControllerError
from controller.specs.pinning import pins_of, with_pins

OLD, NEW = "a" * 64, "0b" * 32
DIGITS = "1" * 64
FLOAT = "1" * 60 + "e111"

HEAD = "apiVersion: gitune.dev/v1alpha1\nkind: TunedModel\nmetadata: {name: one}\n"


def spec(dataset: str) -> str:
    return f"{HEAD}spec:\n  baseModel: models/tiny # the base\n  dataset:{dataset}  attempt: 1 # last\n"


# (a dataset as it is written, as it is written with the digest); U is its uri, S the key
WRITTEN = {
    "beside it": ("\n    U\n    S OLD # why\n", "\n    U\n    S NEW # why\n"),
    "before it": ("\n    S OLD\n    U\n", "\n    S NEW\n    U\n"),
    "in quotes": ("\n    U\n    S 'OLD'\n", "\n    U\n    S 'NEW'\n"),
    "in double quotes": ('\n    uri: "s3://bucket/a"\n    S "OLD"\n', '\n    uri: "s3://bucket/a"\n    S "NEW"\n'),
    "too short": ("\n    U\n    S abc\n", "\n    U\n    S NEW\n"),
    "empty": ("\n    U\n    sha256:\n", "\n    U\n    S NEW\n"),
    "empty with a comment": ("\n    U\n    S # later\n", "\n    U\n    S NEW # later\n"),
    "missing": ("\n    U # where\n    format: csv\n", "\n    U # where\n    S NEW\n    format: csv\n"),
    "missing, in quotes": ("\n    'uri': 's3://bucket/a'\n", "\n    'uri': 's3://bucket/a'\n    S NEW\n"),
    "missing, deeper": ("\n        U\n", "\n        U\n        S NEW\n"),
    "in braces": (" {U, S OLD}\n", " {U, S NEW}\n"),
    "missing in braces": (" {U, format: csv}\n", " {U, S NEW, format: csv}\n"),
    "missing at the end of braces": (" {format: csv, U}\n", " {format: csv, U, S NEW}\n"),
    "missing in JSON": (' {"uri": "s3://bucket/a"}\n', ' {"uri": "s3://bucket/a", "sha256": "NEW"}\n'),
    "missing in braces over lines": (" {\n    U,\n    format: csv}\n", " {\n    U, S NEW,\n    format: csv}\n"),
}  # fmt: skip


def written(text: str) -> str:
    for short, long in (("U", "uri: s3://bucket/a"), ("S ", "sha256: "), ("OLD", OLD), ("NEW", NEW)):
        text = text.replace(short, long)
    return text


def pinned(data: bytes, digest: str = NEW) -> bytes:
    return with_pins(data, "one.yaml", dict.fromkeys(pins_of(data, "one.yaml"), digest))


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_only_the_digest_changes(name: str, end: str, mark: bytes) -> None:
    before, after = (mark + spec(written(text)).replace("\n", end).encode() for text in WRITTEN[name])

    assert pinned(before) == after
    assert pinned(after) == after


def test_a_file_without_an_end_gets_its_line() -> None:
    data = f"{HEAD}spec:\n  baseModel: models/tiny\n  dataset:\n    uri: s3://bucket/a".encode()

    assert pinned(data) == data + f"\n    sha256: {NEW}".encode()


@pytest.mark.parametrize("digest", [DIGITS, FLOAT])
def test_a_digest_that_would_be_a_number_is_put_in_quotes(digest: str) -> None:
    text = spec("\n    uri: s3://bucket/a\n").encode()

    assert f'sha256: "{digest}"'.encode() in pinned(text, digest)
    assert pins_of(pinned(text, digest), "one.yaml")[0].sha256 == digest


def test_every_spec_of_a_file_is_pinned_with_its_evaluation_set() -> None:
    evaluation = (
        "\n    uri: s3://bucket/a\n  evaluation: {dataset: {uri: gs://bucket/e}, minScore: 0.8, metric: exactMatch}\n"
    )
    data = (
        spec(evaluation) + "---\n" + spec("\n    path: x.csv\n") + "---\n" + spec("\n    uri: s3://bucket/b\n")
    ).encode()
    pins = pins_of(data, "one.yaml")
    digests = {one: f"{number}a" * 32 for number, one in enumerate(pins)}

    found = with_pins(data, "one.yaml", digests)

    assert [one.uri.text for one in pins] == ["s3://bucket/a", "gs://bucket/e", "s3://bucket/b"]
    assert [one.sha256 for one in pins_of(found, "one.yaml")] == list(digests.values())
    changed = [line for line in ndiff(data.decode().splitlines(), found.decode().splitlines()) if line[:1] in "+-"]
    assert len(changed) == 4


@pytest.mark.parametrize(
    "dataset",
    [
        "\n    uri: s3://bucket/a\n    sha256: |\n      x\n",
        "\n    uri: s3://bucket/a\n    sha256:\n      x\n",
        "\n    uri: >-\n      s3://bucket/a\n",
        "\n    uri: &here s3://bucket/a\n",
        "\n    ? uri\n    : s3://bucket/a\n",
        "\n    uri:\n      s3://bucket/a\n",
        "\n    uri: s3://bucket/a\n    sha256: &x y\n    format: *x\n",
    ],
)
def test_what_has_no_plain_place_is_left_alone(dataset: str) -> None:
    data = spec(dataset).encode()

    with pytest.raises(ControllerError) as caught:
        pinned(data)

    assert "sha256" in caught.value.hint


def test_a_bad_uri_is_told_with_its_place_and_is_not_quoted() -> None:
    with pytest.raises(ControllerError) as caught:
        pins_of(spec("\n    uri: https://user:secret@host/x\n").encode(), "one.yaml")

    assert "one.yaml:7:10" in caught.value.message
    assert "secret" not in caught.value.message

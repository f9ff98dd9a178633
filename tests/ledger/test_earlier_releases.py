"""Status files of the first schema, as f3ab276 wrote them: read for ever, and still written where they say no more."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from unittest import mock

import pytest

from controller.errors import LedgerError
from controller.ledger import codec
from controller.ledger.codec import read_status, status_file, status_path
from controller.ledger.rendering import render
from controller.state.conditions import Condition, ConditionType, Truth
from controller.state.reasons import Reason
from controller.state.recorded import Record
from controller.state.reviews import Basis, Decision, Origin, Review
from tests.ledger.records import FINGERPRINT, record

FIRST = Path(__file__).parent / "schema-1"
WRITTEN = sorted(path.relative_to(FIRST).as_posix() for path in FIRST.glob("status/*.yaml"))
SINCE = frozenset(
    {"reviews", "commands", "asked", "awaited", "overdue", "stored"}
)  # fields that the first schema does not have
REFUSAL = Review(
    verdict=Decision.REFUSED,
    origin=Origin.PULL_REQUEST,
    basis=Basis(action="create", reason="NewSpec", asked="a" * 32, digest="b" * 32, fingerprint=FINGERPRINT, attempt=1),
    pull=7,
    why="pull request 7 was merged without a plan",
)
NOT_REVIEWED = Condition(ConditionType.STALLED, Truth.TRUE, Reason.NOT_REVIEWED, "nobody has reviewed this")


def then(path: str) -> Record:
    return read_status(path, (FIRST / path).read_bytes())


@pytest.mark.parametrize("path", WRITTEN)
def test_what_the_first_release_wrote_is_read_and_written_the_same_byte_for_byte(path: str) -> None:
    written = (FIRST / path).read_bytes()

    assert status_file(then(path)) == written
    by_hand = written.replace(b"\n", b" # as somebody's editor left it\n", 1)
    assert read_status(path, by_hand) == then(path)


def test_every_reason_of_the_first_release_is_read() -> None:
    said = [condition.reason for condition in then("status/every-reason.yaml").conditions]

    later = {Reason.ATTEMPT_LOWERED, Reason.BASE_MODEL_GONE, Reason.EVALUATING, Reason.NOT_REVIEWED, Reason.SETTLING}
    later |= {Reason.STILL_TUNING}
    assert set(said) == set(Reason) - later
    assert Reason.GUARDED in said
    assert Reason.GUARDED in [condition.reason for condition in then("status/every-field.yaml").conditions]


def test_every_field_of_the_first_release_is_read() -> None:
    read, empty = then("status/every-field.yaml"), Record(name="every-field", provider="")

    assert {f.name for f in fields(Record) if getattr(read, f.name) == getattr(empty, f.name)} == SINCE | {"name"}


def test_a_reason_that_nobody_here_knows_is_read_as_text_shown_and_kept() -> None:
    text = (FIRST / "status/every-reason.yaml").read_text().replace("reason: Guarded", "reason: ReasonOfAnotherTime")

    read = read_status("status/every-reason.yaml", text.encode())

    assert "ReasonOfAnotherTime" in [condition.reason for condition in read.conditions]
    kept = status_file(read)
    assert b"reason: ReasonOfAnotherTime" in kept
    assert read_status("status/every-reason.yaml", kept) == read
    assert render({read.name: read})[status_path(read.name)] == kept


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(replace(record(), reviews=(REFUSAL,)), id="reviews"),
        pytest.param(replace(record(), commands=(1000,)), id="commands"),
        pytest.param(replace(record(), conditions=(NOT_REVIEWED,)), id="a condition"),
    ],
)
def test_what_an_older_release_would_write_away_raises_the_schema_and_is_refused_by_it(given: Record) -> None:
    written = status_file(given)

    assert b"\nschemaVersion: 2\n" in written
    assert read_status(status_path(given.name), written) == given
    with (
        mock.patch.object(codec, "SCHEMA_VERSION", 1),  # as the first release reads
        mock.patch.object(codec, "_VERSIONS", (1,)),
        pytest.raises(LedgerError, match="newer Gitune") as caught,
    ):
        read_status(status_path(given.name), written)
    assert "Upgrade" in caught.value.hint


def test_what_a_spec_asked_for_when_it_was_acted_on_alone_keeps_a_status_readable_for_older_releases() -> None:
    given = replace(record(), asked="c" * 32)

    assert b"\nschemaVersion: 1\n" in status_file(given)
    assert read_status(status_path(given.name), status_file(given)) == given

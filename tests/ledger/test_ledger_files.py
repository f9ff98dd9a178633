"""Records become files and come back the same; files Gitune did not write are refused with their line."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.errors import LedgerError
from controller.ledger.codec import SCHEMA_VERSION, read_status, status_file, status_path
from controller.ledger.rendering import DETAILED_RUNS, LOSS_POINTS, bounded, render, thinned
from controller.state.observed import LossPoint
from controller.state.recorded import Record, Run
from tests.ledger.records import points, record, records, run


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(records)
def test_every_record_survives(given: Record) -> None:
    assert read_status(status_path(given.name), status_file(given)) == given


@settings(max_examples=60, deadline=None)
@given(st.lists(points, max_size=900), st.integers(3, 300))
def test_a_thinned_curve_keeps_its_ends_and_its_lowest_point(curve: list[LossPoint], most: int) -> None:
    kept = thinned(tuple(curve), most)

    assert len(kept) <= most
    assert thinned(kept, most) == kept
    if curve:
        assert (kept[0], kept[-1]) == (curve[0], curve[-1])
        assert min(p.mean_loss for p in kept) == min(p.mean_loss for p in curve)
    assert [p for p in curve if p in kept][: len(kept)] or not curve


def test_losses_that_are_no_numbers_are_left_out() -> None:
    curve = (LossPoint(1, 1, 0.5), LossPoint(2, 1, math.nan), LossPoint(3, 1, math.inf))

    assert thinned(curve) == (LossPoint(1, 1, 0.5),)


def test_old_runs_lose_their_curves_and_never_what_was_paid() -> None:
    given = record(runs=40)

    kept = bounded(given)

    assert len(kept.runs) == 40
    assert [r.fingerprint for r in kept.runs] == [r.fingerprint for r in given.runs]
    assert [r.outcome for r in kept.runs] == [r.outcome for r in given.runs]
    assert [bool(r.losses) for r in kept.runs] == [False] * (40 - DETAILED_RUNS) + [True] * DETAILED_RUNS
    assert bounded(kept) == kept


def test_a_run_in_a_slot_keeps_its_curve_however_old() -> None:
    given = record(runs=40)
    assert given.active is not None
    given = replace(given, active=replace(given.active, model="tunedModels/m-1"))

    assert bounded(given).runs[0].losses


def test_a_status_with_hundreds_of_old_runs_still_fits() -> None:
    given = replace(record(), runs=tuple(run(number, points=20) for number in range(400)))

    written = status_file(bounded(given))

    assert len(written) < 400_000
    assert read_status("status/next-number.yaml", written) == bounded(given)


def test_the_csv_has_the_points_of_the_status_file() -> None:
    given = replace(record(), runs=(run(points=1000),))

    files = render({"next-number": given})
    back = read_status("status/next-number.yaml", files["status/next-number.yaml"])

    rows = files["curves/next-number.csv"].decode().splitlines()[1:]
    assert LOSS_POINTS - 1 <= len(rows) == len(back.runs[0].losses) <= LOSS_POINTS
    assert [int(row.split(",")[0]) for row in rows] == [point.step for point in back.runs[0].losses]


def test_files_are_written_in_an_order_in_which_no_picture_is_ahead_of_its_status() -> None:
    order = list(render({"b": record("b"), "a": record("a")}))

    assert order == [
        *("status/a.yaml", "status/b.yaml", "curves/a.csv", "curves/a.svg", "curves/b.csv", "curves/b.svg"),
        "README.md",
    ]


def test_the_same_records_give_the_same_bytes() -> None:
    assert render({"a": record("a"), "b": record("b")}) == render({"b": record("b"), "a": record("a")})


def test_a_field_of_a_newer_minor_release_is_passed_over() -> None:
    text = status_file(record()).decode().replace("status:\n", "status:\n  somethingNew: {a: [1]}\n", 1)

    assert read_status("status/next-number.yaml", text.encode()) == record()


def test_a_newer_schema_asks_for_an_upgrade() -> None:
    text = status_file(record()).decode().replace("schemaVersion: 1", f"schemaVersion: {SCHEMA_VERSION + 1}")

    with pytest.raises(LedgerError, match="newer Gitune") as caught:
        read_status("status/next-number.yaml", text.encode())

    assert "Upgrade" in caught.value.hint


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ("attempt: 1", "attempt: one", "one"),
        ("type: Ready", "type: Rady", "Rady"),
        ("outcome: Succeeded", "outcome: Won", "Won"),
        ("step,epoch,meanLoss,time", "step,epoch", "|"),
        ("0,0,1.0,", "0,0,low,", "|"),
        ("0,0,1.0,", "0,0,nan,", "|"),
        ("datasetDigest: a", "datasetDigest: x", "xba"),
        ("provider: local", "provider: [local]", "[local]"),
        ("name: next-number", "name: other", "other"),
        ("name: next-number", "name: ../etc", "../etc"),
        ("schemaVersion: 1", "schemaVersion: true", "true"),
        ("schemaVersion: 1\n", "", "apiVersion"),
        ("kind: TunedModelStatus", "kind: TunedModel", "TunedModel\n"),
        ("status:\n", "status: none\nother:\n", "none"),
        ("  provider: local\n", "", "attempted: c"),
        ("provider: local", "provider: local\n  provider: other", "provider: other"),
    ],
)
def test_a_hand_edited_file_is_refused_with_its_place(old: str, new: str, wrong: str) -> None:
    text = status_file(record()).decode()
    assert old in text
    edited = text.replace(old, new, 1)
    before = edited[: edited.index(wrong)]
    place = f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}:"

    with pytest.raises(LedgerError) as caught:
        read_status("status/next-number.yaml", edited.encode())

    assert f"status/next-number.yaml:{place}" in caught.value.message
    assert caught.value.hint


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_garbled_file_is_refused_or_read_never_a_crash(data: st.DataObject) -> None:
    text = bytearray(status_file(record(runs=2)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        match data.draw(st.sampled_from(["cut", "byte", "drop"])):
            case "cut":
                del text[max(at, 1) :]
            case "byte":
                text[at] = data.draw(st.integers(0, 255))
            case _:
                del text[at : at + data.draw(st.integers(1, 40))]
        if not text:
            break

    back = read_or_error(bytes(text))

    assert isinstance(back, Record) or ("status/next-number.yaml" in back.message and back.hint)


def read_or_error(content: bytes) -> Record | LedgerError:
    try:
        return read_status("status/next-number.yaml", content)
    except LedgerError as error:
        return error


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"--- 1\n--- 2\n", b"[" * 5000, b"a: &x [*x]", b"null", b"- 1"])
def test_what_is_no_status_file_is_refused(content: bytes) -> None:
    with pytest.raises(LedgerError):
        read_status("status/next-number.yaml", content)


@pytest.mark.parametrize("name", ["../x", "a/b", "A", "", "a.yaml", "a\n", ".git", "a" * 41])
def test_a_name_that_is_no_name_never_becomes_a_path(name: str) -> None:
    with pytest.raises(LedgerError):
        status_path(name)


def test_every_field_of_a_run_is_either_kept_or_known_to_be_left_behind() -> None:
    left_behind = {"losses", "advice", "error", "total_steps", "completed_steps"}
    bare = bounded(record(runs=40)).runs[1]
    whole = record(runs=40).runs[1]

    changed = {field.name for field in fields(Run) if getattr(bare, field.name) != getattr(whole, field.name)}

    assert changed == left_behind

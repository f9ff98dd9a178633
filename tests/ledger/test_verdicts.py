"""Verdicts outlive the process that came to them, hold no word of a row, and stand in nobody's way."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.ledger.verdicts import FolderVerdicts
from controller.ports import Verdict, Verdicts

SUBJECT, OTHER = "a" * 64, "b" * 64
ROWS = [f"{number:064x}" for number in range(4)]


def test_a_verdict_is_known_to_whoever_comes_next(tmp_path: Path) -> None:
    here: Verdicts = FolderVerdicts(tmp_path / "home" / "evaluations")
    assert here.load(SUBJECT) == {}
    for row, verdict in zip(ROWS, Verdict, strict=True):
        here.keep(SUBJECT, row, verdict)
    there = FolderVerdicts(tmp_path / "home" / "evaluations")
    assert there.load(SUBJECT) == dict(zip(ROWS, Verdict, strict=True))
    assert there.load(OTHER) == {}
    there.forget(SUBJECT)
    there.forget(SUBJECT)
    assert here.load(SUBJECT) == {}


def test_nobody_else_may_read_them(tmp_path: Path) -> None:
    folder = tmp_path / "evaluations"
    FolderVerdicts(folder).keep(SUBJECT, ROWS[0], Verdict.RIGHT)
    (file,) = folder.iterdir()
    assert (folder.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)


def test_a_line_that_a_crash_tore_is_no_verdict_and_spoils_no_other(tmp_path: Path) -> None:
    kept = FolderVerdicts(tmp_path)
    kept.keep(SUBJECT, ROWS[0], Verdict.RIGHT)
    with (tmp_path / f"{SUBJECT}.txt").open("ab") as file:
        file.write(ROWS[1][:30].encode() + b"\xff")
    kept.keep(SUBJECT, ROWS[2], Verdict.WRONG)
    assert kept.load(SUBJECT) == {ROWS[0]: Verdict.RIGHT, ROWS[2]: Verdict.WRONG}


def test_a_folder_that_cannot_be_written_keeps_nothing_and_fails_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    kept = FolderVerdicts(tmp_path / "file" / "evaluations")
    kept.keep(SUBJECT, ROWS[0], Verdict.RIGHT)
    kept.forget(SUBJECT)
    assert kept.load(SUBJECT) == {}


def test_the_folder_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.ledger.verdicts._MOST", 3)
    kept = FolderVerdicts(tmp_path)
    for number in range(6):
        kept.keep(f"{number:064x}", ROWS[0], Verdict.RIGHT)
    assert len(list(tmp_path.iterdir())) == 3
    assert kept.load(f"{5:064x}")

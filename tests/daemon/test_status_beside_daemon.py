"""`gitune status`: what tunes as the provider shows it at this moment, within a deadline, and how old the rest is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from tests.daemon.conftest import Yard
from tests.daemon.service import STEPS

NOW = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def gitune(yard: Yard, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "controller", *words, "--root", str(yard.repository.root)],
        env={**os.environ, "GITUNE_HOME": str(yard.home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def steps(found: dict[str, Any]) -> int:
    (model,) = found["models"]
    (run,) = model["runs"]
    return int(run["completedSteps"])


@pytest.fixture
def tuning(yard: Yard) -> Yard:
    """One run that tunes, and of whose progress the ledger knows nothing."""
    yard.service.finishes = False
    yard.service.completed = 0
    assert gitune(yard, "apply").returncode == 0
    yard.service.completed = 7
    yard.service.requests.clear()
    return yard


def test_a_run_is_shown_as_far_as_the_provider_says_and_nothing_is_written(tuning: Yard) -> None:
    tip = tuning.repository.git("rev-parse", "gitune-status")
    found = json.loads(gitune(tuning, "status", "-o", "json").stdout)

    assert steps(found) == 7
    assert NOW.fullmatch(found["observed"])
    assert NOW.fullmatch(found["ledgerWritten"])
    assert found["unread"] == []
    table = gitune(tuning, "status")
    assert f"7/{STEPS}" in table.stdout
    assert re.search(
        rf"note: runs that tune as of {NOW.pattern}, the rest from the ledger as of {NOW.pattern}", table.stderr
    )
    assert f"7/{STEPS}" in gitune(tuning, "status", "numbers").stdout
    assert tuning.service.changes == []
    assert tuning.repository.git("rev-parse", "gitune-status") == tip


def test_beside_a_daemon_it_says_what_the_page_says(tuning: Yard) -> None:
    tuning.service.completed = 9
    with tuning.daemon("--listen", "127.0.0.1:0") as daemon:
        daemon.wait(lambda: re.search(rf"\b9\s*(/|of)\s*{STEPS}\b", daemon.get("/")[1]))
        found = json.loads(gitune(tuning, "status", "-o", "json").stdout)

    assert steps(found) == 9


def test_offline_no_provider_is_asked_and_the_age_of_the_ledger_is_said(tuning: Yard) -> None:
    found = json.loads(gitune(tuning, "status", "--offline", "-o", "json").stdout)

    assert (steps(found), found["observed"]) == (0, None)
    assert re.search(rf"note: from the ledger as of {NOW.pattern}", gitune(tuning, "status", "--offline").stderr)
    assert tuning.service.requests == []


def test_a_provider_that_refuses_is_named_and_the_ledger_is_shown(tuning: Yard) -> None:
    tuning.service.fault = lambda _method, _path: 403
    shown = gitune(tuning, "status")
    found = json.loads(gitune(tuning, "status", "-o", "json").stdout)

    assert shown.returncode == 0
    assert f"0/{STEPS}" in shown.stdout
    assert re.search(r"note: \w+ cannot be read: .*its runs are shown as the ledger has them", shown.stderr, re.DOTALL)
    assert (steps(found), found["observed"], len(found["unread"])) == (0, None, 1)
    assert set(found["unread"][0]) == {"key", "error", "hint"}


def test_a_provider_that_never_answers_costs_ten_seconds_and_the_ledger_is_shown(tuning: Yard) -> None:
    over = threading.Event()

    def hang(_method: str, _path: str) -> None:
        over.wait(40.0)

    tuning.service.fault = hang
    began = time.monotonic()
    try:
        shown = gitune(tuning, "status")
    finally:
        over.set()

    assert time.monotonic() - began < 20.0
    assert (shown.returncode, f"0/{STEPS}" in shown.stdout) == (0, True)
    assert "no answer within 10 s" in shown.stderr


def test_where_nothing_tunes_no_provider_is_asked(yard: Yard) -> None:
    yard.service.fault = lambda _method, _path: 403
    assert gitune(yard, "apply").returncode == 1
    yard.service.requests.clear()

    assert json.loads(gitune(yard, "status", "-o", "json").stdout)["observed"] is None
    assert yard.service.requests == []

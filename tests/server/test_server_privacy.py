"""Who can read the training rows: the owner of the data folder, and nobody once a run has ended."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.served import Served, tuned

CANARY = "row-canary-7f3a"


def body(**hyperparameters: Any) -> dict[str, Any]:
    asked = tuned(6, **hyperparameters)
    for number, row in enumerate(asked["tuningTask"]["trainingData"]["examples"]["examples"]):
        row["output"] = f"{CANARY} {number}"
    return asked


def holding(folder: Path) -> list[str]:
    """The files below a folder in which a training row can be read."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return [path.name for path in files if CANARY.encode() in path.read_bytes()]


@pytest.fixture
def open_handed() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_handed")
def test_the_file_is_its_owners_whatever_the_folder_and_the_umask_allow(
    serving: Callable[..., Served], tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir(mode=0o755)
    served = serving()
    served.create("running", body(epochCount=1_000_000))

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").glob("tuning.sqlite3*")}
    assert set(modes) >= {"tuning.sqlite3", "tuning.sqlite3-wal"}
    assert set(modes.values()) == {0o600}


def test_a_file_of_an_earlier_release_is_taken_from_others(serving: Callable[..., Served], tmp_path: Path) -> None:
    served = serving()
    served.stop()
    store = tmp_path / "data" / "tuning.sqlite3"
    store.chmod(0o644)

    served.start()

    assert stat.S_IMODE(store.stat().st_mode) == 0o600


def test_no_file_holds_a_row_once_its_run_has_ended_while_the_server_goes_on(serving: Callable[..., Served]) -> None:
    served = serving()
    served.wait(served.create("finished", body(epochCount=5)), 60)
    served.until(lambda: holding(served.data), lambda found: not found, 10)
    cancelled = served.create("cancelled", body(epochCount=1_000_000))
    served.create("deleted", body(epochCount=1_000_000))
    assert holding(served.data)  # else the search finds nothing whatever is there
    served.call("POST", f"/v1/{cancelled}:cancel")
    served.wait(cancelled)
    assert served.call("DELETE", "/v1beta/tunedModels/deleted").status == 200

    served.until(lambda: holding(served.data), lambda found: not found, 10)

"""A controller whose embedded server has a full disk: what it shows, and that nothing is created twice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.stand import Proxy, Repository, rows, settings, spec
from tests.server.small_disk import small_disk

pytestmark = pytest.mark.slow


def test_a_create_refused_by_a_full_disk_waits_unstalled_and_is_paid_for_once(tmp_path: Path) -> None:
    disk = small_disk(tmp_path, 24 * 2**20)
    disk.served.start()
    repository = Repository(tmp_path / "repository")
    repository.root.mkdir()
    repository.git("init", "-q", "-b", "main")
    try:
        with Proxy(disk.served.url).running() as proxy:
            repository.write("gitune.yaml", settings(proxy.url))
            repository.write("specs/numbers.yaml", spec())
            repository.write("specs/rows.jsonl", rows())
            repository.commit()
            disk.fill()
            for _ in range(2):
                held = repository.gitune("apply", "-o", "json")
                [outcome] = held.json["outcomes"]
                assert (held.code, outcome["reason"]) == (0, "QuotaExceeded"), held
                assert "disk of the data folder is full" in outcome["message"]
                conditions = {each["type"]: each["status"] for each in repository.status("numbers")["conditions"]}
                assert conditions.get("Stalled") != "True"
                assert conditions["Reconciling"] == "True"
            disk.make_room()
            assert repository.gitune("apply", "--wait").code == 0
            posted = [(path, code) for method, path, code in proxy.answered if method == "POST" and "?" in path]
            assert [code for _, code in posted] == [429, 429, 200]
            assert len({path for path, _ in posted}) == 1
            assert len(disk.served.call("GET", "/v1beta/tunedModels").body["tunedModels"]) == 1
            assert repository.gitune("generate", "numbers", "1").code == 0
    finally:
        disk.served.stop()


def test_an_embedded_server_that_cannot_be_started_for_want_of_room_is_told_in_words(tmp_path: Path) -> None:
    home = small_disk(tmp_path, 2**20).served
    repository = Repository(tmp_path / "repository")
    repository.root.mkdir()
    repository.git("init", "-q", "-b", "main")
    repository.write("specs/numbers.yaml", spec())
    repository.write("specs/rows.jsonl", rows())
    repository.commit()
    fill = f'cat /dev/zero > "{home.data}/filling" 2>/dev/null; exec "$@"'
    command = [*home.within, "sh", "-c", fill, "sh", sys.executable, "-m", "controller", "apply"]
    env = {**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(Path(__file__).parents[2]), "GITUNE_HOME": str(home.data)}
    done = subprocess.run(
        command, check=False, cwd=repository.root, env=env, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1, done
    assert "No space left on device" in done.stdout + done.stderr
    assert "GITUNE_HOME" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr

"""`gitune pin` as it is run, and what validate, plan and doctor say of data at a uri."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import Commit, Process
from tests.downloads.store import Answer, ObjectServer

ROWS = "".join(json.dumps({"text_input": f"row {n}", "output": f"{n}"}) + "\n" for n in range(100)).encode()
PIN = hashlib.sha256(ROWS).hexdigest()
SPEC = """\
apiVersion: gitune.dev/v1alpha1
kind: TunedModel # ours
metadata: {{name: numbers}}
spec:
  baseModel: models/tiny
  dataset:
    uri: {uri} # where they lie
"""


@pytest.fixture
def store() -> Iterator[ObjectServer]:
    with ObjectServer({"/rows.jsonl": Answer(ROWS)}).running() as server:
        yield server


@pytest.fixture
def path(folder: Path, store: ObjectServer) -> Path:
    found = folder / "specs" / "numbers.yaml"
    found.parent.mkdir()
    found.write_text(SPEC.format(uri=f"{store.url}/rows.jsonl"))
    return found


def test_a_spec_is_pinned_planned_and_read_offline(
    gitune: Process, store: ObjectServer, path: Path, commit: Commit
) -> None:
    before = path.read_text()
    path.chmod(0o640)

    done = gitune("pin", str(path), GITUNE_DATA_SOURCES=store.url)

    assert (done.returncode, PIN in done.stdout) == (0, True)
    assert path.read_text() == before + f"    sha256: {PIN}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [one.name for one in path.parent.iterdir()] == ["numbers.yaml"]
    commit("specs")
    planned = json.loads(gitune("plan", "-o", "json", GITUNE_DATA_SOURCES=store.url).stdout)
    store.answers.clear()
    offline = json.loads(gitune("plan", "--offline", "-o", "json", GITUNE_DATA_SOURCES=store.url).stdout)
    assert [action["action"] for action in planned["actions"]] == ["create"]
    assert [action["fingerprint"] for action in offline["actions"]] == [planned["actions"][0]["fingerprint"]]
    assert gitune("validate", GITUNE_DATA_SOURCES=store.url).returncode == 0
    assert len(store.asked) == 1  # what was pinned is kept: neither plan had to fetch it


def test_validate_fetches_nothing_and_says_so(gitune: Process, store: ObjectServer, path: Path) -> None:
    path.write_text(path.read_text() + f"    sha256: {PIN}\n")

    done = gitune("validate", GITUNE_DATA_SOURCES=store.url)

    assert (done.returncode, store.asked) == (0, [])
    assert "GT426" in done.stdout


def test_what_is_not_listed_is_neither_pinned_nor_planned(gitune: Process, store: ObjectServer, path: Path) -> None:
    refused = gitune("pin", str(path))
    path.write_text(path.read_text() + f"    sha256: {PIN}\n")
    planned = gitune("plan")

    assert refused.returncode == 1
    assert f"add {store.url} to GITUNE_DATA_SOURCES" in refused.stderr
    assert "GT422" in planned.stdout
    assert store.asked == []


def test_what_cannot_be_fetched_leaves_the_file_as_it_is(gitune: Process, store: ObjectServer, path: Path) -> None:
    before = path.read_text()
    store.answers.clear()

    done = gitune("pin", str(path), GITUNE_DATA_SOURCES=store.url)

    assert (done.returncode, path.read_text()) == (1, before)
    assert [one.name for one in path.parent.iterdir()] == ["numbers.yaml"]


def test_a_pin_that_holds_is_told_and_nothing_is_written(gitune: Process, store: ObjectServer, path: Path) -> None:
    path.write_text(path.read_text() + f"    sha256: {PIN}\n")
    written = path.stat().st_mtime_ns

    done = gitune("pin", str(path), "-o", "json", GITUNE_DATA_SOURCES=store.url)

    (told,) = json.loads(done.stdout)["pins"]
    assert told == {"file": str(path), "line": 7, "uri": f"{store.url}/rows.jsonl", "sha256": PIN, "before": PIN}
    assert path.stat().st_mtime_ns == written


def test_a_link_and_a_spec_without_a_uri_are_refused(gitune: Process, path: Path) -> None:
    link = path.with_name("link.yaml")
    link.symlink_to(path)
    plain = path.with_name("plain.yaml")
    plain.write_text(path.read_text().split("    uri")[0] + "    path: rows.jsonl\n")

    assert "is not a file" in gitune("pin", str(link)).stderr
    assert "no dataset with a uri" in gitune("pin", str(plain)).stderr


def test_doctor_names_where_data_may_be_read_from_and_a_bad_entry(gitune: Process, folder: Path) -> None:
    well = gitune("doctor", GITUNE_DATA_SOURCES="s3://bucket/prefix https://data.example.org")
    bad = gitune("doctor", GITUNE_DATA_SOURCES="https://user:secret@data.example.org")

    assert "s3://bucket, https://data.example.org" in well.stdout
    assert "entry 1" in bad.stdout
    assert "secret" not in bad.stdout

"""What `gitune apply` says at its end, of a repository in git and a service over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.running import Commit, Process, WriteSpec
from tests.daemon.service import Service
from tests.e2e.stand import settings


@pytest.fixture
def service(folder: Path, spec: WriteSpec, commit: Commit) -> Iterator[Service]:
    """What the one committed spec, ``numbers``, is tuned by."""
    with Service().running() as made:
        (folder / "gitune.yaml").write_text(settings(made.url))
        spec("numbers")
        commit("one")
        yield made


def test_what_tunes_is_told_with_how_to_see_more_of_it(gitune: Process, service: Service, tmp_path: Path) -> None:
    service.finishes = False
    for _ in ("a run that was just created", "one that was found tuning"):
        done = gitune("apply", GITUNE_HOME=str(tmp_path / "home"))
        assert done.returncode == 0
        assert "note: runs go on tuning" in done.stderr
        assert "until another `gitune apply`, or `gitune run`, looks again" in done.stderr


def test_a_create_that_was_rejected_tunes_nothing_and_nothing_is_said_to_tune(
    gitune: Process, service: Service, tmp_path: Path
) -> None:
    service.fault = lambda method, _path: 400 if method == "POST" else None
    done = gitune("apply", GITUNE_HOME=str(tmp_path / "home"))
    assert "ProviderRejected" in done.stdout
    assert not service.created
    assert "go on tuning" not in done.stderr


def test_a_wait_is_summed_up_as_a_whole_while_its_document_is_that_of_the_last_pass(
    gitune: Process, service: Service, spec: WriteSpec, commit: Commit, tmp_path: Path
) -> None:
    home = str(tmp_path / "home")
    done = gitune("apply", "--wait", GITUNE_HOME=home)
    assert done.stdout.startswith("Applied: 1 create, 1 promote, at revision ")
    assert (len(done.stdout.splitlines()), done.stderr.count("create"), done.stderr.count("promote")) == (1, 1, 1)
    assert gitune("apply", "--wait", GITUNE_HOME=home).stdout.startswith("Applied: 1 unchanged, at revision ")
    spec("second")
    commit("two")
    done = gitune("apply", "--wait", "-o", "markdown", GITUNE_HOME=home)
    assert "**1 create, 1 promote; 1 unchanged, at revision " in done.stdout
    assert [row.split(" | ")[0] for row in done.stdout.splitlines() if "`second`" in row] == ["| create", "| promote"]
    spec("third")
    commit("three")
    last = json.loads(gitune("apply", "--wait", "-o", "json", GITUNE_HOME=home).stdout)
    assert [outcome["action"] for outcome in last["outcomes"]] == ["none", "none", "none"]
    assert len(service.created) == 3

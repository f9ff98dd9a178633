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
    assert done.stdout.startswith("Applied: 1 created, 1 promoted, at revision ")
    assert (len(done.stdout.splitlines()), done.stderr.count("create"), done.stderr.count("promote")) == (1, 1, 1)
    assert gitune("apply", "--wait", GITUNE_HOME=home).stdout.startswith("Applied: 1 unchanged, at revision ")
    spec("second")
    commit("two")
    done = gitune("apply", "--wait", "-o", "markdown", GITUNE_HOME=home)
    assert "**1 created, 1 promoted; 1 unchanged, at revision " in done.stdout
    assert [row.split(" | ")[0] for row in done.stdout.splitlines() if "`second`" in row] == ["| create", "| promote"]
    spec("third")
    commit("three")
    last = json.loads(gitune("apply", "--wait", "-o", "json", GITUNE_HOME=home).stdout)
    assert [outcome["action"] for outcome in last["outcomes"]] == ["none", "none", "none"]
    assert len(service.created) == 3


def test_what_is_only_in_the_working_tree_is_said_not_to_be_applied(
    gitune: Process, service: Service, folder: Path, tmp_path: Path
) -> None:
    home = str(tmp_path / "home")
    assert "working tree" not in gitune("apply", GITUNE_HOME=home).stderr
    path = folder / "specs" / "numbers.yaml"
    path.write_text(path.read_text() + "  displayName: Numbers\n")
    done = gitune("apply", GITUNE_HOME=home)
    assert "note: apply acted on HEAD: the working tree differs in specs/numbers.yaml" in done.stderr
    assert len(service.created) == 1


def test_a_name_that_is_nearly_one_is_asked_for(gitune: Process, service: Service, tmp_path: Path) -> None:
    home = str(tmp_path / "home")
    gitune("apply", GITUNE_HOME=home)
    assert service.created
    assert "hint: Did you mean numbers? It knows: numbers." in gitune("status", "number", GITUNE_HOME=home).stderr
    assert "Did you mean" not in gitune("status", "other", GITUNE_HOME=home).stderr


def test_a_plan_of_nothing_says_that_nothing_is_declared(gitune: Process, folder: Path) -> None:
    assert not list(folder.rglob("*.yaml"))
    assert (
        "note: nothing is declared: no file here is a spec; `gitune init` writes a first one" in gitune("plan").stderr
    )

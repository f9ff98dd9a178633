"""What a step has to install: all packages only where it may have to start the embedded server itself."""

from __future__ import annotations

import json
import os
from pathlib import Path
from unittest import mock

import pytest

from controller.cli.github_action.needs import main
from tests.action.workflow import bare_and_clone, pull_payload, push_payload
from tests.e2e.stand import Repository
from tests.forge.stand_in import REPOSITORY

HERE = "apiVersion: gitune.dev/v1alpha1\nkind: Controller\nproviders:\n  local: {type: local}\n"
THERE = HERE.replace("local}", 'local, endpoint: "http://127.0.0.1:9"}')


@pytest.fixture
def clone(tmp_path: Path) -> Repository:
    return bare_and_clone(tmp_path)[1]


def pushed(clone: Repository, settings: str | None) -> str:
    clone.write("README.md", "read me")
    if settings is not None:
        clone.write("gitune.yaml", settings)
    commit = clone.commit()
    clone.git("push", "-q", "origin", "HEAD")
    return commit


def needs(clone: Repository, folder: Path, event: str, payload: dict[str, object], **environ: str) -> int:
    path = folder / "event.json"
    path.write_text(json.dumps(payload))
    given = {"GITHUB_EVENT_NAME": event, "GITHUB_EVENT_PATH": str(path), "GITHUB_REPOSITORY": REPOSITORY, **environ}
    with mock.patch.dict(os.environ, given):
        before = Path.cwd()
        os.chdir(clone.root)
        try:
            return main()
        finally:
            os.chdir(before)


@pytest.mark.parametrize(("settings", "code"), [(HERE, 3), (THERE, 0), (None, 3), ("kind: Nonsense", 3)])
def test_all_packages_are_needed_where_a_server_may_have_to_be_started(
    clone: Repository, tmp_path: Path, settings: str | None, code: int
) -> None:
    assert needs(clone, tmp_path, "push", push_payload(pushed(clone, settings))) == code


def test_checks_of_files_start_no_server(clone: Repository, tmp_path: Path) -> None:
    payload = push_payload(pushed(clone, HERE))

    assert needs(clone, tmp_path, "push", payload, GITUNE_COMMAND="validate") == 0


def test_a_pull_request_does_not_choose_for_its_base(clone: Repository, tmp_path: Path) -> None:
    base = pushed(clone, THERE)
    clone.git("checkout", "-q", "-b", "change")
    head = pushed(clone, HERE)
    pull = {
        "number": 1,
        "merged_at": None,
        "head": {"sha": head, "repo": {"full_name": REPOSITORY}},
        "base": {"sha": base, "ref": "main", "repo": {"full_name": REPOSITORY}},
    }

    assert needs(clone, tmp_path, "pull_request", pull_payload(pull, "opened"), GITHUB_SHA=head) == 0


def test_what_cannot_be_told_needs_everything(clone: Repository, tmp_path: Path) -> None:
    pushed(clone, THERE)

    assert needs(clone, tmp_path, "push", {}, GITUNE_COMMAND="nonsense") == 3
    assert needs(clone, tmp_path, "schedule", {}, GITHUB_EVENT_PATH=str(tmp_path / "nothing")) == 3

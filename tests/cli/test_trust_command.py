"""`gitune trust`: shown, given, taken back, and asked anew where gitune.yaml names something else."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.running import Process

ADDRESS = "http://127.0.0.1:9/v1/acme"


def write(folder: Path, variable: str = "ACME_KEY", endpoint: str = ADDRESS) -> None:
    (folder / "gitune.yaml").write_text(
        "apiVersion: gitune.dev/v1alpha1\nkind: Controller\ndefaultProvider: llm\nproviders:\n"
        f"  llm: {{type: gemini, apiKeyEnv: {variable}, endpoint: '{endpoint}'}}\n"
    )


def test_an_address_is_shown_allowed_and_taken_back(folder: Path, gitune: Process) -> None:
    write(folder)
    shown = gitune("trust")
    assert shown.stdout.split() == ["not", "trusted", "llm", "ACME_KEY", "to", ADDRESS, "gitune.yaml:5:54"]
    assert gitune("trust", "HTTP://127.0.0.1:9/v1/acme/").stdout.startswith("trusted")
    asked = {"provider": "llm", "secret": "ACME_KEY", "endpoint": ADDRESS, "place": "gitune.yaml:5:54", "trusted": True}
    kept = {"endpoint": ADDRESS, "secrets": ["ACME_KEY"]}
    assert json.loads(gitune("trust", "-o", "json").stdout) == {"schemaVersion": 1, "asked": [asked], "trusted": [kept]}
    assert "✅" in gitune("trust", "-o", "markdown").stdout
    assert "nothing listens at the endpoint" in gitune("doctor", ACME_KEY="made-up-key-1").stdout
    write(folder, "AWS_SECRET_ACCESS_KEY")
    assert "GT334 AWS_SECRET_ACCESS_KEY is not sent" in " ".join(gitune("doctor").stdout.split())
    write(folder)
    assert gitune("trust", "--remove", ADDRESS).stdout.startswith("not trusted")
    again = gitune("trust", "--remove", ADDRESS)
    assert (again.returncode, "is not trusted here" in again.stderr) == (1, True)


def test_only_what_gitune_yaml_asks_for_can_be_allowed(folder: Path, gitune: Process) -> None:
    write(folder)
    done = gitune("trust", "https://elsewhere.example")
    assert done.returncode == 1
    assert "gitune.yaml sends no secret of yours to https://elsewhere.example" in done.stderr
    assert ADDRESS in done.stderr
    (folder / "gitune.yaml").unlink()
    assert "Name the address as the `endpoint` of a provider" in gitune("trust", "https://elsewhere.example").stderr
    write(folder)
    assert "is plain http to another machine" in gitune("trust", "http://elsewhere.example").stderr
    assert "--remove needs an address" in gitune("trust", "--remove").stderr


def test_what_is_not_asked_for_any_more_is_still_shown(folder: Path, gitune: Process) -> None:
    write(folder)
    gitune("trust", ADDRESS)
    write(folder, endpoint="https://generativelanguage.googleapis.com:443/")
    assert "not asked for any more" in gitune("trust").stdout
    gitune("trust", "--remove", ADDRESS)
    assert "sends no secret" in gitune("trust").stdout

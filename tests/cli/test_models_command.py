"""`gitune models` and `--bases`: what the embedded server could tune, what is missing, files that name base models."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from controller.cli.bases_file import read_bases
from controller.errors import ControllerError
from controller.server.engines.hf.found import LoraSettings
from tests.cli.running import Process

WHOLE = """\
models/own:
  path: weights
  lora: {rank: 4, dropout: 0.1, targets: [q_proj, v_proj]}
  maxLength: 512
  digest: sha256:abc
  needs: {gpus: 1}
models/cached:
  hub: some/model
  revision: 0123456789abcdef0123456789abcdef01234567
"""


def test_a_file_of_base_models_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    file = tmp_path / "bases.yaml"
    file.write_text(WHOLE)
    own, cached = read_bases(file)
    assert (own.name, own.path, own.max_length, own.digest) == ("models/own", tmp_path / "weights", 512, "sha256:abc")
    assert own.lora == LoraSettings(4, 8.0, 0.1, ("q_proj", "v_proj"))
    assert (own.needs.gpus, own.needs.nodes) == (1, 1)
    assert cached.lora == LoraSettings()
    assert cached.path == tmp_path / "cache/hub/models--some--model/snapshots/0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("models/a: {}\n", "1: give a path, or hub and revision"),
        ("models/a: {path: x, hub: y}\n", "1: give a path, or hub and revision"),
        ("a: {path: x}\n", "1: a base model is called"),
        ("models/a:\n  path: x\n  colour: red\n", "3: there is no colour here"),
        ("models/a:\n  hub: some/model\n  revision: main\n", "3: a revision is a whole commit"),
        ("models/a:\n  path: x\n  lora:\n    rank: 0\n", "4: rank is a whole number from 1"),
        ("models/a:\n  path: x\n  lora: {dropout: 1}\n", "3: dropout is a number"),
        ("models/a:\n  path: x\n  needs: 3\n", "3: must be a mapping"),
        ("- models/a\n", "1: must be a mapping"),
        ("models/a: [\n", ":"),
    ],
)
def test_a_fault_in_it_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "bases.yaml"
    file.write_text(text)
    with pytest.raises(ControllerError) as raised:
        read_bases(file)
    assert f"{file}:" in str(raised.value)
    assert said in str(raised.value)


def test_a_server_that_is_given_a_broken_file_says_so(gitune: Process, tmp_path: Path) -> None:
    file = tmp_path / "bases.yaml"
    file.write_text("models/a: {}\n")
    done = gitune("serve", "--data", str(tmp_path / "data"), "--bases", str(file))
    assert (done.returncode, done.stdout) == (1, "")
    assert "bases.yaml:1: give a path" in done.stderr


def test_every_base_model_is_listed_with_what_is_missing(gitune: Process, tmp_path: Path) -> None:
    file = tmp_path / "bases.yaml"
    file.write_text("models/own: {path: weights}\n")
    done = gitune("models", "list", "--bases", str(file), "-o", "json")
    assert done.returncode == 0, done.stderr
    tiny, own = json.loads(done.stdout)["models"]
    assert (tiny["name"], tiny["engine"], tiny["parameters"], tiny["tunable"]) == ("models/tiny", "tiny", 147_648, True)
    assert (own["name"], own["engine"], own["path"]) == ("models/own", "hf", str(tmp_path / "weights"))
    assert (own["tunable"], own["parameters"]) == (False, None)
    assert "gitune[hf]" in own["reason"] or "no config.json" in own["reason"]
    assert "models/own" in gitune("models", "list", "--bases", str(file)).stdout


def test_a_model_that_cannot_be_fetched_is_one_error_with_a_hint(gitune: Process, tmp_path: Path) -> None:
    unknown = gitune("models", "pull", "gpt")
    assert (unknown.returncode, unknown.stderr.splitlines()[-1]) == (1, "hint: There is: smollm2.")
    assert gitune("models", "pull").returncode == 1
    assert gitune("models", "list", "smollm2").returncode == 1
    if find_spec("torch") is None:
        assert "gitune[hf]" in gitune("models", "pull", "smollm2").stderr

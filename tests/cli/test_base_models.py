"""A base model that a provider does not name like that, or no longer tunes, gets that provider's own advice."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from controller.providers.gemini.facts import FACTS as GEMINI
from controller.providers.local.facts import FACTS as LOCAL
from controller.state.facts import Facts
from tests.cli.running import Process, WriteSpec

SETTINGS = """\
apiVersion: gitune.dev/v1alpha1
kind: Controller
defaultProvider: {key}
providers:
  {key}: {{type: {type}}}
"""
TYPES: Mapping[str, Facts] = {"gemini": GEMINI, "local": LOCAL}


def found(gitune: Process) -> list[dict[str, object]]:
    return [p for p in json.loads(gitune("validate", "-o", "json").stdout)["problems"] if p["severity"] == "error"]


def based_on(folder: Path, write: WriteSpec, kind: str, base: str) -> None:
    (folder / "gitune.yaml").write_text(SETTINGS.format(key="one", type=kind))
    path = write("sums")
    path.write_text(path.read_text().replace("models/tiny", base))


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("base", ["gemini-1.5-flash-001-tuning", "tunedModels/mine", "models/a/b", "gpt-4o-mini"])
def test_another_form_is_an_error_at_its_place_with_the_hint_of_the_provider(
    gitune: Process, folder: Path, spec: WriteSpec, kind: str, base: str
) -> None:
    based_on(folder, spec, kind, base)
    (problem,) = found(gitune)

    assert (problem["code"], problem["file"], problem["line"], problem["column"]) == ("GT037", "specs/sums.yaml", 6, 14)
    assert problem["hint"] == TYPES[kind].base_models.hint
    assert ("models/tiny" in str(problem["hint"])) is (kind == "local")
    assert ("retired" in str(problem["hint"])) is (kind == "gemini")


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("base", ["models/gemini-1.5-flash-001-tuning", "models/tiny", "{from: other}"])
def test_the_form_of_the_provider_is_none(gitune: Process, folder: Path, spec: WriteSpec, kind: str, base: str) -> None:
    spec("other")
    based_on(folder, spec, kind, base)

    assert found(gitune) == []


def test_a_spec_tuned_on_one_whose_base_is_misnamed_says_so(gitune: Process, folder: Path, spec: WriteSpec) -> None:
    based_on(folder, spec, "gemini", "tiny")
    child = spec("child")
    child.write_text(child.read_text().replace("models/tiny", "{from: sums}"))

    assert {p["code"] for p in found(gitune)} == {"GT037", "GT308"}

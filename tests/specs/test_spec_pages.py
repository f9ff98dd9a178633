"""The pages name every field and every code as the models and tables have them."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller import documents, specs
from controller.specs.codes import CODES
from controller.specs.controller_model import Controller
from controller.specs.fields import Part, fields
from controller.specs.models import EvaluationSection, TunedModel
from controller.specs.repositories import Daemon

ROOT = Path(__file__).resolve().parents[2]
SPEC_PAGE = (ROOT / "docs" / "spec.md").read_text("utf-8")
DAEMON_PAGE = (ROOT / "docs" / "daemon.md").read_text("utf-8")
PROBLEMS_PAGE = (ROOT / "docs" / "problems.md").read_text("utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", SPEC_PAGE, re.DOTALL)


def leaves(part: type[Part], at: tuple[str, ...] = ()) -> Iterator[str]:
    """Every field below a model by its dotted path; ``*`` stands for a free key."""
    for name, field in fields(part).items():
        path = (*at, name, *(("*",) if name == "providers" else ()))
        inner = [p for p in field.parts if part is not EvaluationSection]
        if not inner or name == "baseModel":
            yield ".".join(path)
        for found in inner:
            yield from leaves(found, path)


@pytest.mark.parametrize("field", dict.fromkeys([*leaves(TunedModel), *leaves(Controller)]))
def test_the_page_has_a_row_for_every_field(field: str) -> None:
    assert f"\n| `{field}` | " in SPEC_PAGE


@pytest.mark.parametrize("field", list(leaves(Daemon)))
def test_the_page_of_the_daemon_has_a_row_for_every_field_of_repositories(field: str) -> None:
    assert f"\n| `{field}` | " in DAEMON_PAGE


def test_the_repositories_on_the_page_are_taken() -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", DAEMON_PAGE, re.DOTALL)

    assert specs.load_repositories(block.encode(), "repositories.yaml", {"ACME_TOKEN", "GEMINI_API_KEY"})[1] == ()


def test_the_page_has_no_row_for_a_field_that_is_not_there() -> None:
    told = set(re.findall(r"^\| `([A-Za-z.*0-9]+)` \|", SPEC_PAGE, re.MULTILINE))

    assert told == {*leaves(TunedModel), *leaves(Controller), "providers"}


def test_the_examples_on_the_page_are_taken() -> None:
    spec, _, controller = BLOCKS

    assert specs.load_specs({"specs/a.yaml": spec.encode()}).problems == ()
    assert specs.load_settings(controller.encode(), "gitune.yaml")[1] == ()
    assert all(documents.parse(b.encode(), "a").problems == () for b in BLOCKS)


def test_the_page_of_problems_has_every_code_with_its_severity_and_meaning() -> None:
    row = re.compile(r"^\| (GT[013]\d\d) \| (error|warning|advice)( \(fixed\))? \| (.+?) \| (.+) \|$", re.MULTILINE)
    told = {m[1]: (m[2], m[4]) for m in row.finditer(PROBLEMS_PAGE)}

    assert told == {name: (str(code.severity), code.meaning) for name, code in CODES.items()}


def test_a_code_that_cannot_be_lowered_is_called_fixed() -> None:
    fixed = set(re.findall(r"^\| (GT[013]\d\d) \| error \(fixed\) \|", PROBLEMS_PAGE, re.MULTILINE))

    assert fixed == {name for name, code in CODES.items() if code.severity == "error"}


def test_every_code_that_is_used_is_in_the_table() -> None:
    rooms = [*(ROOT / "controller" / "specs").glob("*.py"), *(ROOT / "controller" / "documents").glob("*.py")]
    rooms.append(ROOT / "controller" / "providers" / "trust.py")
    used = {c for p in rooms if p.name != "codes.py" for c in re.findall(r"\bGT[013]\d\d\b", p.read_text("utf-8"))}

    assert used == set(CODES)

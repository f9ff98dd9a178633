"""Every file in ``bad/`` gives exactly the problems that ``bad.json`` lists for it: code, line and column."""

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from controller import specs
from controller.errors import Problem, Severity
from controller.settings import ProviderSettings, Settings

HERE = Path(__file__).parent
BAD = HERE / "bad"
TABLE: dict[str, list[str]] = json.loads((HERE / "bad.json").read_text("utf-8"))
SETTINGS = Settings(providers={k: ProviderSettings(k, "local") for k in ("local", "other")})


def folder(name: str) -> str:
    """A case is one file, or all files of a folder."""
    return name.split("/", maxsplit=1)[0]


CASES = {case: sorted(names) for case, names in groupby(sorted(TABLE), folder)}


def found(case: str) -> tuple[Problem, ...]:
    """All problems of one case, as the whole of loading finds them."""
    if case.endswith(".gitune.yaml"):
        return specs.load_settings((BAD / case).read_bytes(), case)[1]
    if case.endswith(".repositories.yaml"):
        return specs.load_repositories((BAD / case).read_bytes(), case, ())[1]
    files = {f"specs/{name}": (BAD / name).read_bytes() for name in CASES[case]}
    return specs.check_references(specs.load_specs(files), SETTINGS).problems


def written(case: str) -> Iterator[str]:
    for name in CASES[case]:
        yield from (f"{name} {line}" for line in TABLE[name])


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_has_its_code_and_its_exact_place(case: str) -> None:
    problems = found(case)
    places = [f"{p.file.removeprefix('specs/')} {p.code} {p.line}:{p.column}" for p in problems]

    assert sorted(places) == sorted(written(case)), "\n".join(map(str, problems))


@pytest.mark.parametrize("case", CASES)
def test_a_mistake_has_a_hint_and_the_severity_of_its_code(case: str) -> None:
    for problem in found(case):
        assert problem.hint
        assert problem.message == problem.message.strip()
        assert problem.severity is specs.CODES[problem.code].severity


@pytest.mark.parametrize("case", [c for c in CASES if not c.endswith((".gitune.yaml", ".repositories.yaml"))])
def test_a_spec_with_a_mistake_is_never_used_and_never_taken_for_removed(case: str) -> None:
    files = {f"specs/{name}": (BAD / name).read_bytes() for name in CASES[case]}
    loaded = specs.check_references(specs.load_specs(files), SETTINGS)
    wrong = {p.file for p in loaded.problems if p.severity is Severity.ERROR}
    held = {p.file for b in loaded.broken for p in b.problems} | set(loaded.unreadable)

    assert wrong <= held


@pytest.mark.parametrize("case", [c for c in CASES if c.endswith(".gitune.yaml")])
def test_settings_with_a_mistake_are_never_used(case: str) -> None:
    settings, problems = specs.load_settings((BAD / case).read_bytes(), case)

    assert any(p.severity is Severity.ERROR for p in problems)
    assert settings == Settings()


@pytest.mark.parametrize("case", [c for c in CASES if c.endswith(".repositories.yaml")])
def test_of_repositories_with_a_mistake_none_is_followed(case: str) -> None:
    repositories, problems = specs.load_repositories((BAD / case).read_bytes(), case, ())

    assert any(p.severity is Severity.ERROR for p in problems)
    assert repositories == ()


def test_the_table_and_the_folder_hold_the_same_cases() -> None:
    assert sorted(TABLE) == sorted(str(p.relative_to(BAD)) for p in BAD.rglob("*") if p.is_file())
    assert len(CASES) >= 110


def test_every_code_has_a_case() -> None:
    shown = {line.split()[0] for lines in TABLE.values() for line in lines}
    elsewhere = {"GT106", "GT115", "GT116", "GT120", "GT127", "GT130"}  # files too big to keep: tests/documents
    elsewhere |= {"GT334"}  # what it is about is said outside of the file: tests/providers/test_trust.py

    assert set(specs.CODES) - shown == elsewhere


def test_no_message_repeats_a_secret() -> None:
    messages = [f"{p.message} {p.hint}" for case in CASES if "key" in case or "password" in case for p in found(case)]

    assert messages
    assert not [m for m in messages if "AIza" in m or "secret" in m]

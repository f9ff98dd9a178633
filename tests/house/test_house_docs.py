"""The pages name what the code has: every action, reason, condition, command and code; every link leads somewhere."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from controller.cli.app import COMMANDS
from controller.plan.actions import WORDS
from controller.state.conditions import ConditionType
from controller.state.reasons import Reason
from script.pages import generated

PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
# Acts of design that are not built yet: README says so.
LATER = frozenset({"approve-delete"})


def pages(root: Path) -> dict[str, str]:
    """Every page that people read, by its path."""
    paths = [*(root / page for page in PAGES), *sorted((root / "docs").rglob("*.md"))]
    return {str(path.relative_to(root)): path.read_text("utf-8") for path in paths}


@pytest.fixture(scope="module")
def lifecycle() -> str:
    return (Path(__file__).resolve().parents[2] / "docs" / "lifecycle.md").read_text("utf-8")


@pytest.mark.parametrize("reason", Reason)
def test_the_lifecycle_names_every_reason(lifecycle: str, reason: Reason) -> None:
    assert f"`{reason}`" in lifecycle


@pytest.mark.parametrize("word", WORDS)
def test_the_lifecycle_names_every_action(lifecycle: str, word: str) -> None:
    assert f"`{word}`" in lifecycle


@pytest.mark.parametrize("condition", ConditionType)
def test_the_lifecycle_names_every_condition(lifecycle: str, condition: ConditionType) -> None:
    assert f"`{condition}`" in lifecycle


def test_the_page_says_of_every_hold_what_the_code_says(root: Path) -> None:
    page = root / "docs" / "lifecycle.md"

    assert generated(page.read_text("utf-8")) == page.read_text("utf-8")


def test_there_is_a_way_out_of_every_hold(lifecycle: str) -> None:
    ways_out = lifecycle.partition("## Out of a hold")[2].partition("\n## ")[0]
    holds = [reason for reason in Reason if reason.traits.waits_for]

    assert [reason for reason in holds if not reason.traits.way_out or f"`{reason}`" not in ways_out] == []


def test_the_glossary_names_every_action(root: Path) -> None:
    glossary = (root / "docs" / "glossary.md").read_text("utf-8")

    assert [word for word in WORDS if f"`{word}`" not in glossary] == []


def links(text: str) -> Iterator[str]:
    """The targets of a page's links, what stands in code left out."""
    prose = re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)
    yield from re.findall(r"\]\(([^)\s]+)\)", prose)


def anchor(heading: str) -> str:
    """A heading as the code host names it in a link."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def test_every_link_leads_somewhere(root: Path) -> None:
    texts = pages(root)
    broken = []
    for page, text in texts.items():
        for link in links(text):
            path, _, fragment = link.partition("#")
            if re.match(r"[a-z]+:", link):
                continue
            target = (root / page).parent / path if path else root / page
            headings = re.findall(r"^#+ (.+)$", texts.get(str(target.relative_to(root)), ""), re.MULTILINE)
            if not target.exists() or (fragment and fragment not in map(anchor, headings)):
                broken.append(f"{page}: {link}")

    assert broken == []


def test_decisions_are_numbered_without_a_gap_and_fit_a_page(root: Path) -> None:
    decisions = sorted((root / "docs" / "decisions").glob("*.md"))

    assert [int(path.name[:4]) for path in decisions] == list(range(1, len(decisions) + 1))
    for path in decisions:
        text = path.read_text("utf-8")
        assert text.startswith(f"# {int(path.name[:4])}. ")
        assert len(text.splitlines()) <= 60, path.name


def test_every_problem_code_is_explained(root: Path, modules: Mapping[str, object]) -> None:
    known = {code for path in modules for code in re.findall(r"\bGT\d{3}\b", (root / path).read_text("utf-8"))}
    told = {code for text in pages(root).values() for code in re.findall(r"\bGT\d{3}\b", text)}

    assert sorted(known - told) == []
    assert sorted(told - known) == []


def commands() -> set[str]:
    """The commands that the program has."""
    return {command.name for command in COMMANDS}


def test_the_readme_names_every_command(root: Path) -> None:
    readme = (root / "README.md").read_text("utf-8")

    assert sorted(name for name in commands() if f"`gitune {name}" not in readme) == []


def test_no_page_shows_a_command_that_is_not_there(root: Path) -> None:
    told = {
        (page, name)
        for page, text in pages(root).items()
        for name in re.findall(r"(?:`|^\$ |^)gitune ([a-z]+(?:-[a-z]+)*)\b", text, re.MULTILINE)
    }

    assert sorted(f"{page}: {name}" for page, name in told if name not in commands() | LATER) == []


def test_the_staircase_that_is_shown_is_the_one_that_is_held(root: Path) -> None:
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    held = [set(re.split(r"[ |]+", step)) for step in contracts[0]["layers"]]
    text = (root / "CONTRIBUTING.md").read_text("utf-8")
    block = text.partition("## The staircase")[2].split("```")[1]
    shown = [set(re.split(r"\s{3,}", line)[0].split()) for line in block.strip().splitlines()]

    assert [step - {"·"} for step in shown] == held


def test_every_place_that_is_named_as_one_to_touch_is_there(root: Path) -> None:
    text = (root / "CONTRIBUTING.md").read_text("utf-8").partition("## Where to touch")[2].partition("\n## ")[0]
    named = [path for path in re.findall(r"`((?:controller|tests|script)/[^`\s]+)`", text) if "NAME" not in path]

    assert len(named) >= 12
    assert [path for path in named if not (root / path).exists()] == []


def test_every_situation_that_the_action_page_speaks_of_is_a_test(root: Path) -> None:
    table = (
        (root / "docs" / "action.md").read_text("utf-8").partition("### What happens when…")[2].partition("\n## ")[0]
    )
    rows = [line for line in table.splitlines() if line.startswith("| ") and not line.startswith("| what is done")]
    named = [re.findall(r"<!-- (test_\w+) -->", row) for row in rows]
    texts = [path.read_text("utf-8") for path in sorted((root / "tests" / "action").glob("test_*.py"))]

    assert len(rows) >= 20
    assert all(len(names) == 1 for names in named)
    assert [name for (name,) in named if not any(f"def {name}(" in text for text in texts)] == []

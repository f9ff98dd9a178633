"""Every tracked file as text: nothing unfinished, nothing of one machine, and bytes that every editor shows alike."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

UNFINISHED = re.compile(
    "TO" + r"DO\b|FIX" + r"ME\b|#\s*X" + r"XX\b|HA" + r"CK\b|NotImplemented" + r"Error|coming" + " soon", re.ASCII
)
# Folders of one person's or one builder's machine.
MACHINE = re.compile(r"(?<![\w.~}])/(?:wo" + r"rk|ro" + r"ot|ho" + r"me/\w+|Us" + r"ers/\w+)/")
SECRET = re.compile(
    "AIza" + r"[0-9A-Za-z_-]{35}|-----BEGIN [A-Z ]*PRIVATE" + r" KEY-----|gh[pousr]_" + r"[0-9A-Za-z]{36}"
)
FREE = ("uv.lock", "LICENSE")
DAMAGED = ("tests/",)  # inputs that are wrong on purpose: bare CR, byte-order marks, bad UTF-8


def readable(root: Path, tracked: tuple[Path, ...]) -> dict[str, str]:
    """Every tracked text, by its path."""
    texts = {}
    for path in tracked:
        try:
            texts[str(path)] = (root / path).read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            assert str(path).startswith(DAMAGED), f"{path} is not UTF-8"
    return texts


def hits(texts: dict[str, str], pattern: re.Pattern[str]) -> list[str]:
    """``file:line`` of every line that the pattern is found in."""
    return [
        f"{path}:{number} {line.strip()[:80]}"
        for path, text in texts.items()
        if path not in FREE
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


@pytest.mark.parametrize("pattern", [UNFINISHED, MACHINE, SECRET], ids=["unfinished", "machine", "secret"])
def test_no_file_holds_what_must_not_be_published(
    root: Path, tracked: tuple[Path, ...], pattern: re.Pattern[str]
) -> None:
    assert hits(readable(root, tracked), pattern) == []


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (UNFINISHED, "# TO" + "DO: later"),
        (MACHINE, "cd /wo" + "rk/main"),
        (MACHINE, "python: /ho" + "me/someone/bin"),
        (SECRET, "key = AIza" + "x" * 35),
    ],
)
def test_such_lines_are_seen(pattern: re.Pattern[str], line: str) -> None:
    assert hits({"a.py": f"first\n{line}\n"}, pattern) == [f"a.py:2 {line}"]


HYGIENE: dict[str, Callable[[str], bool]] = {
    "ends in one newline": lambda text: text == "" or (text.endswith("\n") and not text.endswith("\n\n")),
    "no trailing blanks": lambda text: not re.search(r"[ \t]+$", text, re.MULTILINE),
    "no carriage returns": lambda text: "\r" not in text,
    "no tabs": lambda text: "\t" not in text,
    "no byte-order mark": lambda text: "\ufeff" not in text,
    "no text that runs backwards": lambda text: not re.search("[\u202a-\u202e\u2066-\u2069]", text),
}


@pytest.mark.parametrize("rule", HYGIENE)
def test_text_is_clean(root: Path, tracked: tuple[Path, ...], rule: str) -> None:
    texts = readable(root, tracked)

    assert [p for p, t in texts.items() if not p.startswith(DAMAGED) and p not in FREE and not HYGIENE[rule](t)] == []


def test_scripts_can_be_run_and_nothing_else_can(root: Path, tracked: tuple[Path, ...]) -> None:
    runnable = {str(path) for path in tracked if (root / path).stat().st_mode & 0o111}

    assert runnable == {".ci/run", "script/bootstrap", "script/demo", "script/lint", "script/test"}

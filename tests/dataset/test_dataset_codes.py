"""The table of codes and the page that explains them say the same."""

import re
from pathlib import Path

from controller.dataset.problems import CODES
from controller.specs.codes import DATASET_CHECKS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "problems.md"
LINE = re.compile(r"\| (GT2\d\d) \| (error|warning|advice)( \(fixed\))? \| (.+?) \|")


def test_the_page_lists_every_code_with_its_severity_and_meaning() -> None:
    listed = {m[1]: (m[2], bool(m[3]), m[4]) for m in LINE.finditer(PAGE.read_text("utf-8"))}

    assert listed == {name: (str(c.severity), c.fixed, c.meaning) for name, c in CODES.items()}


def test_whatever_leaves_rows_unread_keeps_its_severity() -> None:
    unread = {name for name, code in CODES.items() if name >= "GT240" and code.severity == "error"}

    assert all(CODES[name].fixed for name in unread)


def test_a_policy_may_change_exactly_the_codes_that_are_not_fixed() -> None:
    assert {name for name, code in CODES.items() if not code.fixed} == DATASET_CHECKS

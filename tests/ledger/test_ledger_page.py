"""The page about the status shows a file that Gitune reads, and names every field there is."""

from dataclasses import fields
from pathlib import Path

import pytest

from controller.ledger.codec import key_of, read_status, status_file
from controller.state.recorded import Advice, Intent, Record, Run, Score, Slot

PAGE = (Path(__file__).parents[2] / "docs" / "status.md").read_text("utf-8")
EXAMPLE = PAGE.partition("```yaml\n")[2].partition("```")[0]


def test_the_example_is_what_would_be_written() -> None:
    record = read_status("status/next-number.yaml", EXAMPLE.encode())

    assert record.runs[0].losses[-1].step == 1400
    assert status_file(record).decode() == EXAMPLE


@pytest.mark.parametrize("kind", [Record, Run, Slot, Intent, Advice, Score])
def test_every_field_is_named(kind: type[Record]) -> None:
    tables = "\n".join(line for line in PAGE.splitlines() if line.startswith("|"))
    names = [key_of(field.name) for field in fields(kind)]

    assert [name for name in names if f"`{name}`" not in tables and name != "name"] == []

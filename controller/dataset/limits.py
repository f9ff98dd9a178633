"""The caps that keep a hostile or mistaken file from taking the machine with it."""

from __future__ import annotations

from controller.dataset.findings import Fault, Findings

LONGEST = 1_000_000  # characters of one example as it is written
MOST = 1_000_000  # examples of one file


def too_long(offset: int = 0) -> Fault:
    """The fault for an example over the cap."""
    return Fault(
        "GT255", f"one example is longer than {LONGEST:,} characters", "an input takes 40,000 at the most", offset
    )


def too_many(rows: int, line: int, findings: Findings) -> bool:
    """Whether the cap of rows is passed; it is noted then, and reading ends."""
    if rows <= MOST:
        return False
    findings.add(Fault("GT256", f"the file has more than {MOST:,} examples", "tune on a sample of them"), line)
    return True

"""Two results of one scenario to what differs: the end state, and how often something was made, stopped or deleted."""

from __future__ import annotations

import re

from tests.simulation.world import Result

_CHOSEN = re.compile(r"srv-\d+")
COUNTED = ("create", "cancel", "delete")


def summary(result: Result) -> dict[str, int]:
    """The effects that cost or destroy, counted."""
    return {verb: result.counts[verb] for verb in COUNTED}


def differences(reference: Result, other: Result, *, fewer: bool = False) -> list[str]:
    """What differs. ``fewer`` allows the other to have done less: it saw less, or waited for a person."""
    found = [f"{v.invariant}: {v.what}" for v in other.violations[:1]]
    first, second = _masked(reference.end), _masked(other.end)
    if not found and first != second and not fewer:
        found.append(f"the end differs: {sorted(set(first) ^ set(second))}")
    had, has = summary(reference), summary(other)
    wrong = [verb for verb in COUNTED if has[verb] > had[verb] or (has[verb] != had[verb] and not fewer)]
    return found + [f"{has[verb]} times {verb}, not {had[verb]}" for verb in wrong]


def _masked(end: tuple[str, ...]) -> list[str]:
    # Killed between a cancel and its record, a controller finds a cancelled run and cannot tell for which reason.
    return sorted(_CHOSEN.sub("srv", line).replace("DeadlineExceeded", "RunCancelled") for line in end)

"""The parts of a comment that are words about one action: what it costs, how long, what became of the data."""

from __future__ import annotations

from collections.abc import Sequence

from controller.plan.actions import Action, Tune
from controller.plan.cost import Cost
from controller.report.comment_notes import DataNote, Note, Seconds
from controller.report.estimate import estimate
from controller.report.wording import counted, duration, figure

_NAMED = 8  # so many example numbers are named, the rest is counted


def price(action: Action, note: Note) -> str:
    """``0.12 to 0.35 USD (prices of 2026-11-01)``, ``free``, or that no price is known."""
    if not isinstance(action, Tune):
        return "free"
    if note.free:
        return "free"
    if action.cost is None:
        return "price unknown"
    return _range(action.cost) + (", **stale prices**" if note.stale_prices else "")


def _range(cost: Cost) -> str:
    low, high = money(cost.low), money(cost.high)
    span = high if low == high else f"{low} to {high}"
    currency = "".join(c for c in cost.currency if c.isascii() and c.isalpha())[:8]
    day = "".join(c for c in cost.as_of if c.isdigit() or c == "-")[:10]
    return f"{span} {currency} (prices of {day})"


def money(amount: float) -> str:
    """Two decimals, more where there would be nothing else to see."""
    return f"{amount:,.2f}" if amount >= 0.1 or amount == 0 else figure(amount, 2)  # noqa: PLR2004 - ten cents


def time(seconds: Seconds | None) -> str:
    """``2 min 10 s to 3 min 00 s``; "" where nothing is known."""
    if seconds is None:
        return ""
    low, high = duration(seconds.low), duration(seconds.high)
    return high if low == high else f"{low} to {high}"


def effort(action: Action, note: Note) -> str:
    """Cost and time in a few words, for the table."""
    if not isinstance(action, Tune):
        return "free"
    guess = estimate(action)
    steps = counted(guess.steps, "step") if guess else ""
    return ", ".join(part for part in (price(action, note), time(note.time), steps) if part)


def data(note: Note) -> str:
    """``140 examples, 3 added, 1 edited``, for the table; "" where the action has no data of its own."""
    if note.data is None:
        return ""
    found = note.data
    kinds = {"added": len(found.added), "removed": found.removed, "edited": len(found.edited)}
    moved = ", ".join(f"{number:,} {kind}" for kind, number in kinds.items() if number)
    whole = counted(found.examples, "example")
    if not found.known_before:
        return f"{whole}, new"
    return f"{whole}, {moved}" if moved else f"{whole}, {'reordered' if found.reordered else 'the same'}"


def data_lines(found: DataNote) -> list[str]:
    """The same at length, a line each."""
    lines = [f"{counted(found.examples, 'example')}, {counted(found.characters, 'character')}"]
    if found.known_before:
        moves = [
            f"{len(found.added):,} added{_numbers(found.added)}",
            f"{found.removed:,} removed",
            f"{len(found.edited):,} edited{_numbers(found.edited)}",
        ]
        lines.append("; ".join(moves) + ("; the rest in another order" if found.reordered else ""))
    if found.duplicates or found.contradictions:
        both = (counted(found.duplicates, "duplicate"), counted(found.contradictions, "contradiction"))
        lines.append(f"{both[0]}, {both[1]} (one input, several outputs)")
    half, most, longest = found.lengths
    lines.append(f"characters an example: half have at most {half:,}, 95 % at most {most:,}, the longest {longest:,}")
    return lines


def _numbers(examples: Sequence[int]) -> str:
    if not examples:
        return ""
    named = ", ".join(f"{number:,}" for number in examples[:_NAMED])
    more = f" and {len(examples) - _NAMED:,} more" if len(examples) > _NAMED else ""
    return f" (example {named}{more})" if len(examples) == 1 else f" (examples {named}{more})"

"""The steps and times of runs to how long a step takes, and how long the rest of a run may take."""

from __future__ import annotations

from datetime import datetime

from controller.state.recorded import Run, RunOutcome


def pace(run: Run) -> float | None:
    """Seconds a step of a run that ended well, from its begin to its end; None where that is not known."""
    if run.outcome is not RunOutcome.SUCCEEDED or run.total_steps < 1:
        return None
    took = _between(run.started, run.ended)
    return took / run.total_steps if took is not None and took > 0 else None


def remaining(run: Run) -> float | None:
    """Seconds that the steps still to come may take, by the times that the provider gave the ones so far.

    None of a run that has ended, that does not say how many steps it has, or of which fewer than two have a time.
    """
    timed = [point for point in run.losses if point.time]
    left = run.total_steps - run.completed_steps
    if run.outcome is not RunOutcome.TUNING or left < 1 or len(timed) < 2:  # noqa: PLR2004 - from one to another
        return None
    took, steps = _between(timed[0].time, timed[-1].time), timed[-1].step - timed[0].step
    return took / steps * left if took is not None and took > 0 and steps > 0 else None


def _between(start: str, end: str) -> float | None:
    try:
        return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    except (ValueError, TypeError):
        return None

"""A score and what a spec asks of it to a verdict, and to words."""

from __future__ import annotations

from controller.state.desired import Evaluation
from controller.state.recorded import Record, Run, Score


def known_score(run: Run | None, asked: Evaluation | None) -> Score | None:
    """The score on record that answers what a spec asks: by the same metric, on the same rows."""
    known = run.score if run is not None else None
    if known is None or asked is None or (known.metric, known.digest) != (asked.metric, asked.dataset.digest):
        return None
    return known


def passes(score: Score, asked: Evaluation) -> bool:
    """Whether a score is as high as its spec asks."""
    return score.value >= asked.min_score


def told(score: Score) -> str:
    """``19 of 20 right, 1 not answered; baseline 8 of 20 (always the most frequent answer)``."""
    unanswered = f", {score.unanswered:,} not answered" if score.unanswered else ""
    cut = f", {score.cut:,} cut short" if score.cut else ""
    return f"{score.right:,} of {score.asked:,} right{unanswered}{cut}{_compared(score)}"


def _compared(score: Score) -> str:
    if score.baseline is None:
        return ""
    return f"; baseline {score.baseline:,} of {score.asked:,} (always the most frequent answer)"


def too_low(score: Score, asked: Evaluation, record: Record | None) -> str:
    """Why a run is not promoted. That an earlier one goes on serving is said only where one does."""
    serves = ": the earlier run goes on serving" if record is not None and record.active is not None else ""
    return f"score {score.value:.3f}, {asked.min_score:g} asked: {told(score)}{serves}"

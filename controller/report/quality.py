"""Scores of a run, of the run it is compared with, and what its spec asks, to words that put them side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from controller.plan.evaluation import known_score
from controller.report.formatting import share
from controller.report.model_state import latest_run
from controller.state.desired import Evaluation
from controller.state.recorded import Record, Run, Score


@dataclass(frozen=True, slots=True)
class Quality:
    """What is known of how well a model does.

    ``metric`` is "" where nothing is evaluated, ``bar`` the lowest score (0 to 1) with which a run serves, None where
    none is known. ``score`` is that of the run itself, ``other`` that of the run beside it, by the same metric on the
    same rows: a score on other rows compares with nothing. ``compared`` says that there is such a run, scored or not,
    ``called`` whether it is the one that serves or one that served before.
    """

    metric: str = ""
    bar: float | None = None
    score: Score | None = None
    other: Score | None = None
    compared: bool = False
    called: str = "serving"


def standing(record: Record, asked: Evaluation | None) -> Quality:
    """How the newest run of a model scores beside the one that serves; of that one, beside the one that served before.

    ``asked`` is None where the spec asks for no evaluation or is not known.
    """
    run = latest_run(record)
    if run is None:
        return Quality()
    slots = [slot for slot in (record.active, *record.retired[:1]) if slot is not None and slot.model != run.model]
    other = record.run(slots[0].model) if slots else None
    serves = record.active is not None and record.active.model == run.model
    return replace(quality_of(run, other, asked), called="before" if serves else "serving")


def quality_of(run: Run | None, other: Run | None, asked: Evaluation | None) -> Quality:
    """How a run scores beside another one; ``asked`` None where its spec asks for no evaluation or is not known."""
    if asked is not None:
        score, beside = known_score(run, asked), known_score(other, asked)
        return Quality(asked.metric, asked.min_score, score, beside, compared=other is not None)
    score = run.score if run is not None else None
    theirs = other.score if other is not None else None
    beside = theirs if theirs is not None and (score is None or _is_same_measure(theirs, score)) else None
    known = score or beside
    return Quality(known.metric if known else "", None, score, beside, compared=other is not None)


def _is_same_measure(one: Score, another: Score) -> bool:
    return (one.metric, one.digest) == (another.metric, another.digest)


def figures(quality: Quality, shown: Callable[[str], str]) -> Iterator[str]:
    """``0.94 exactMatch``, ``bar 0.80``, ``serving 0.91``, ``most frequent answer 0.33``: what is known of them.

    ``shown`` is how words of files are written.
    """
    if not quality.metric:
        return
    metric = shown(quality.metric)
    yield f"{share(quality.score.value)} {metric}" if quality.score is not None else metric
    if quality.bar is not None:
        yield f"bar {bar(quality.bar)}"
    yield from _beside(quality)
    for known in (quality.score, quality.other):
        if known is not None and known.baseline is not None and known.asked:
            yield f"most frequent answer {share(known.baseline / known.asked)}"
            return


def _beside(quality: Quality) -> Iterator[str]:
    """``serving 0.91``, or that it was not scored on these rows; nothing where there is no such run."""
    if quality.other is not None:
        yield f"{quality.called} {share(quality.other.value)}"
    elif quality.compared:
        yield f"{quality.called} not scored on these rows"


def bar(least: float) -> str:
    """``0.80``; with all its digits where it has more than two."""
    return f"{least:.2f}" if round(least, 2) == least else f"{least:g}"

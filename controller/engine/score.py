"""A model and rows to a score: every row asked, the right answers counted."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType

from controller.errors import ProviderError, Rejected, RejectedKind
from controller.ports import Provider
from controller.state.desired import Dataset, Example
from controller.state.recorded import Score

EXACT_MATCH = "exactMatch"
# By their name in a spec, which `controller.specs.models` lists: whether an answer is as good as the expected one.
METRICS: Mapping[str, Callable[[str, str], bool]] = MappingProxyType(
    {EXACT_MATCH: lambda expected, answer: answer.strip() == expected.strip()}  # surrounding white space aside
)
_AT_ONCE = 4  # enough to hide latency, little enough for a free tier's requests per minute
# What a provider refuses of one row says something of that row; any other refusal is about all of them.
_OF_THE_ROW = frozenset({RejectedKind.NO_ANSWER, RejectedKind.INVALID})


class Verdict(Enum):
    """What became of one row."""

    RIGHT = "right"
    WRONG = "wrong"
    CUT = "cut"  # stopped before its end: no whole answer, whatever it says so far
    UNANSWERED = "unanswered"


async def score(provider: Provider, model: str, rows: Dataset, metric: str = EXACT_MATCH) -> Score:
    """Ask every row and count the answers that are right by a metric.

    A row that the model gives no answer to is wrong, and counted. Raises `ProviderError` where rows cannot be asked.
    """
    gate = asyncio.Semaphore(_AT_ONCE)

    async def judged(row: Example) -> Verdict:
        async with gate:
            return await _judged(provider, model, row, metric)

    failed: ProviderError | None = None
    try:
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(judged(row)) for row in rows.examples]
    except* ProviderError as group:
        failed = _first(group)
    if failed is not None:
        raise failed
    return counted([task.result() for task in asked], rows, metric)


def counted(verdicts: list[Verdict], rows: Dataset, metric: str) -> Score:
    """The score that a verdict for each row comes to."""
    of = Counter(verdicts)
    return Score(
        metric,
        rows.digest,
        of[Verdict.RIGHT],
        len(verdicts),
        unanswered=of[Verdict.UNANSWERED],
        cut=of[Verdict.CUT],
        baseline=baseline(rows.examples, metric),
    )


def baseline(rows: tuple[Example, ...], metric: str) -> int:
    """How many rows would be right if each were answered with the most frequent expected answer."""
    if not rows:
        return 0
    # Of several that are equally frequent the one that sorts first: the same rows give the same number.
    frequent = Counter(row.output.strip() for row in rows)
    answer = min(frequent, key=lambda output: (-frequent[output], output))
    return sum(METRICS[metric](row.output, answer) for row in rows)


async def _judged(provider: Provider, model: str, row: Example, metric: str) -> Verdict:
    try:
        answer = await provider.generate(model, row.text_input)
    except Rejected as error:
        if error.kind not in _OF_THE_ROW:
            raise
        return Verdict.UNANSWERED
    if answer.cut:
        return Verdict.CUT
    return Verdict.RIGHT if METRICS[metric](row.output, answer.text) else Verdict.WRONG


def _first(group: BaseExceptionGroup[ProviderError]) -> ProviderError:
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found

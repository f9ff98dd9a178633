"""A model and rows to a score: every row asked, the right answers counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType

from controller.errors import ProviderError
from controller.ports import Provider
from controller.state.desired import Dataset, Example
from controller.state.recorded import Score

EXACT_MATCH = "exactMatch"
# By their name in a spec, which `controller.specs.models` lists: whether an answer is as good as the expected one.
METRICS: Mapping[str, Callable[[str, str], bool]] = MappingProxyType(
    {EXACT_MATCH: lambda expected, answer: answer.strip() == expected.strip()}  # surrounding white space aside
)
_AT_ONCE = 4  # enough to hide latency, little enough for a free tier's requests per minute


async def score(provider: Provider, model: str, rows: Dataset, metric: str = EXACT_MATCH) -> Score:
    """Ask every row and count the answers that are right by a metric.

    Raises `ProviderError` where a row cannot be asked: half a score is none.
    """
    gate = asyncio.Semaphore(_AT_ONCE)

    async def right(row: Example) -> bool:
        async with gate:
            answer = await provider.generate(model, row.text_input)
        return METRICS[metric](row.output, answer)

    failed: ProviderError | None = None
    try:
        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(right(row)) for row in rows.examples]
    except* ProviderError as group:
        failed = _first(group)
    if failed is not None:
        raise failed
    return Score(metric, rows.digest, sum(task.result() for task in asked), len(asked))


def _first(group: BaseExceptionGroup[ProviderError]) -> ProviderError:
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found

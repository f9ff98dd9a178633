"""A model and rows to a score: every row asked, exact matches counted."""

from __future__ import annotations

import asyncio

from controller.errors import ProviderError
from controller.ports import Provider
from controller.state.desired import Dataset, Example
from controller.state.recorded import Score

EXACT_MATCH = "exactMatch"
_AT_ONCE = 4  # enough to hide latency, little enough for a free tier's requests per minute


async def score(provider: Provider, model: str, rows: Dataset, metric: str = EXACT_MATCH) -> Score:
    """Ask every row and count the answers that are the expected output, surrounding white space aside.

    Raises `ProviderError` where a row cannot be asked: half a score is none.
    """
    gate = asyncio.Semaphore(_AT_ONCE)

    async def right(row: Example) -> bool:
        async with gate:
            answer = await provider.generate(model, row.text_input)
        return answer.strip() == row.output.strip()

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

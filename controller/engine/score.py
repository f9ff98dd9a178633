"""A finished run and rows to a score: each row asked once, whatever breaks off, and the right answers counted."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from controller.dataset import comparable
from controller.errors import ProviderError, Rejected, RejectedKind
from controller.ports import InProgress, Provider, Verdict, Verdicts
from controller.state.desired import Dataset, Example
from controller.state.observed import RemoteModel
from controller.state.recorded import Score

EXACT_MATCH = "exactMatch"
# By their name in a spec, which `controller.specs.models` lists: whether an answer is as good as the expected one.
METRICS: Mapping[str, Callable[[str, str], bool]] = MappingProxyType(
    # Surrounding white space aside, and what no reader could see.
    {EXACT_MATCH: lambda expected, answer: comparable(answer).strip() == comparable(expected).strip()}
)
# Of one provider, enough to hide latency; a client that answers several evaluations keeps to its requests a minute.
_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Examination:
    """A finished run, the rows that it is asked, and how its answers are judged. ``instance`` is who asks."""

    instance: str
    provider: Provider
    remote: RemoteModel
    rows: Dataset
    metric: str = EXACT_MATCH

    @property
    def subject(self) -> str:
        """What verdicts are kept under: a model that was made again under its id is another one."""
        return _digest(self.instance, self.provider.key, self.remote.name, self.remote.created, self.metric)


async def score(asked: Examination, verdicts: Verdicts | None = None) -> Score:
    """Ask every row that has no verdict yet and count the answers that are right.

    A row that the model gives no answer to is wrong, and counted. Raises `ProviderError` where rows cannot be asked;
    what was answered before is kept.
    """
    known = dict(verdicts.load(asked.subject)) if verdicts is not None else {}
    await _ask(asked, known, verdicts, asyncio.Semaphore(_AT_ONCE))
    return _counted(asked, known)


async def score_afresh(asked: Examination, verdicts: Verdicts | None = None) -> Score:
    """As `score`; where every row has its verdict already, all are asked anew."""
    if verdicts is not None:
        known = verdicts.load(asked.subject)
        if all(_row(row) in known for row in asked.rows.examples):
            verdicts.forget(asked.subject)
    return await score(asked, verdicts)


class Waits(Protocol):
    """When what failed may be tried again."""

    def refuse(self, key: str) -> None:
        """Raises the error of last time where it is too early."""
        ...

    def fail(self, key: str, error: ProviderError) -> None:
        """It failed once more."""
        ...

    def succeed(self, key: str) -> None:
        """It went well: forgotten."""
        ...


class Evaluations:
    """Evaluations that go on beside the passes: a pass begins one or asks how far it is, and never waits.

    ``ring`` is called when one has ended; one that failed is tried again when ``waits`` lets it.
    """

    def __init__(self, verdicts: Verdicts | None, waits: Waits, ring: Callable[[], None]) -> None:
        self._verdicts = verdicts
        self._waits = waits
        self._ring = ring
        self._going: dict[tuple[str, str], _Going] = {}
        self._failed: dict[tuple[str, str], _Failed] = {}
        self._wanted: set[tuple[str, str]] = set()
        self._gates: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(_AT_ONCE))

    def score(self, asked: Examination) -> Score | InProgress:
        """The score where all rows are asked, else how far it is.

        Raises the `ProviderError` that ended it early, and again until it has come further than that: an evaluation
        that fails each time has one state, not two in turn.
        """
        key = asked.subject, asked.rows.digest
        self._wanted.add(key)
        going = self._going.get(key)
        if going is None:
            self._waits.refuse(asked.subject)
            going = self._going[key] = self._begun(asked)
        if going.task.done():
            del self._going[key]
            return self._result(asked, going)
        failed = self._failed.get(key)
        if failed is not None and going.judged <= failed.judged:
            raise failed.error.with_traceback(None)
        return InProgress(going.judged, len(going.rows))

    def _begun(self, asked: Examination) -> _Going:
        known = dict(self._verdicts.load(asked.subject)) if self._verdicts is not None else {}
        task = asyncio.create_task(_ask(asked, known, self._verdicts, self._gates[asked.provider.key]))
        task.add_done_callback(self._ended)
        return _Going(task, known, frozenset(map(_row, asked.rows.examples)))

    def _result(self, asked: Examination, going: _Going) -> Score:
        key = asked.subject, asked.rows.digest
        try:
            going.task.result()
        except ProviderError as error:
            self._failed[key] = _Failed(error, going.judged)
            self._waits.fail(asked.subject, error)
            raise
        self._failed.pop(key, None)
        self._waits.succeed(asked.subject)
        return _counted(asked, going.known)

    def stop_unwanted(self) -> None:
        """Stop those that nobody has asked for since this was last called; what they were answered is kept."""
        for key in self._going.keys() - self._wanted:
            self._going.pop(key).task.cancel()
        self._failed = {key: failed for key, failed in self._failed.items() if key in self._wanted}
        self._wanted.clear()

    async def close(self) -> None:
        """Stop all."""
        tasks = [going.task for going in self._going.values()]
        self._wanted.clear()
        self.stop_unwanted()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            task.exception()  # looked at, so that one whose pass never comes is not called lost
            self._ring()


@dataclass(frozen=True, slots=True)
class _Going:
    """An evaluation that was begun: the verdicts so far, of these rows and others."""

    task: asyncio.Task[None]
    known: Mapping[str, Verdict]
    rows: frozenset[str]

    @property
    def judged(self) -> int:
        """How many of the rows have their verdict."""
        return sum(row in self.known for row in self.rows)


@dataclass(frozen=True, slots=True)
class _Failed:
    """How an evaluation ended early, and how many rows had their verdict then."""

    error: ProviderError
    judged: int


async def _ask(
    asked: Examination, known: dict[str, Verdict], verdicts: Verdicts | None, gate: asyncio.Semaphore
) -> None:
    """A verdict for each row that has none, kept as soon as it is there. What was sent when one fails is waited for."""
    rows = iter({_row(row): row for row in asked.rows.examples}.items())
    failures: list[ProviderError] = []

    async def work() -> None:
        for key, row in rows:
            async with gate:
                if failures or key in known:
                    continue
                try:
                    verdict = await _judged(asked, row)
                except ProviderError as error:
                    failures.append(error)
                    return
                known[key] = verdict
                if verdicts is not None:
                    verdicts.keep(asked.subject, key, verdict)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(_AT_ONCE):
            tasks.create_task(work())
    if failures:
        raise failures[0]


async def _judged(asked: Examination, row: Example) -> Verdict:
    if not row.is_pair:  # the check of the rows says so before
        raise Rejected(
            "conversations are not asked yet: one turn without a system message", kind=RejectedKind.UNSUPPORTED
        )
    try:
        answer = await asked.provider.generate(asked.remote.name, row.text_input)
    except Rejected as error:
        if not error.is_about_the_prompt:  # then it is about all rows
            raise
        return Verdict.UNANSWERED
    if answer.cut:
        return Verdict.CUT
    return Verdict.RIGHT if METRICS[asked.metric](row.output, answer.text) else Verdict.WRONG


def _counted(asked: Examination, known: Mapping[str, Verdict]) -> Score:
    """The score that a verdict for each row comes to."""
    examples = tuple(asked.rows.examples)
    of = Counter(known[_row(row)] for row in examples)
    return Score(
        asked.metric,
        asked.rows.digest,
        of[Verdict.RIGHT],
        len(examples),
        unanswered=of[Verdict.UNANSWERED],
        cut=of[Verdict.CUT],
        baseline=baseline(examples, asked.metric),
    )


def baseline(rows: tuple[Example, ...], metric: str) -> int:
    """How many rows would be right if each were answered with the most frequent expected answer."""
    if not rows:
        return 0
    # Of several that are equally frequent the one that sorts first: the same rows give the same number.
    frequent = Counter(row.output.strip() for row in rows)
    answer = min(frequent, key=lambda output: (-frequent[output], output))
    return sum(METRICS[metric](row.output, answer) for row in rows)


def _row(row: Example) -> str:
    return _digest(row.text_input, row.output)


def _digest(*texts: str) -> str:
    """SHA-256 (hex) over texts, however they are divided."""
    return hashlib.sha256(json.dumps(texts, ensure_ascii=True).encode()).hexdigest()

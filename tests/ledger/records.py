"""Records to write: plain ones, and any that Hypothesis can think of."""

from __future__ import annotations

import string
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import strategies as st

from controller.state.conditions import Condition, ConditionType, Truth
from controller.state.desired import DeletionPolicy, Sampling
from controller.state.identity import NAME, Hyperparameters, Training
from controller.state.observed import LossPoint
from controller.state.reasons import Reason
from controller.state.recorded import Advice, Answer, Intent, Record, Run, RunOutcome, Score, Slot

FINGERPRINT = "ab" * 32


def now() -> datetime:
    """The real time: files of real git are as old as they are."""
    return datetime.now(UTC)  # noqa: TID251 - there is no other clock that the file system keeps


def run(number: int = 1, points: int = 3) -> Run:
    return Run(
        model=f"tunedModels/m-{number}",
        provider_type="local",
        base="models/tiny",
        fingerprint=f"{number:064x}",
        attempt=1,
        dataset_digest=FINGERPRINT,
        written=Hyperparameters(epoch_count=5),
        resolved=Hyperparameters(5, 4, 0.001),
        started="2026-01-01T00:00:00Z",
        outcome=RunOutcome.SUCCEEDED,
        error="none",
        total_steps=points,
        completed_steps=points,
        losses=tuple(LossPoint(step, step // 10, 1 / (step + 1), "2026-01-01T00:00:00Z") for step in range(points)),
        advice=Advice(3, "the curve is flat from epoch 3 on"),
    )


def record(name: str = "next-number", runs: int = 1) -> Record:
    return Record(
        name=name,
        provider="local",
        attempted="c" * 40,
        conditions=(Condition(ConditionType.READY, Truth.TRUE, Reason.UP_TO_DATE, "it serves"),),
        active=Slot(f"tunedModels/m-{runs}", f"{runs:064x}", 1, "Active"),
        runs=tuple(run(number) for number in range(1, runs + 1)),
    )


def counted(name: str, count: int) -> Record:
    """A record that says a number, to see whether a write is lost."""
    return replace(record(name, runs=0), active=None, prefix=str(count))


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
numbers = st.integers(0, 10**9)
floats = st.none() | st.floats(allow_nan=False, allow_infinity=False)
digests = st.text("0123456789abcdef", min_size=64, max_size=64)
names = st.from_regex(NAME, fullmatch=True).filter(lambda name: name.isascii() and "\n" not in name)
hyperparameters = st.builds(Hyperparameters, st.none() | numbers, st.none() | numbers, floats, floats)
points = st.builds(LossPoint, numbers, numbers, st.floats(allow_nan=False, allow_infinity=False), texts)
slots = st.builds(Slot, texts, digests, st.integers(1, 99), texts, texts, texts, texts, texts)
runs = st.builds(
    Run,
    model=texts,
    provider_type=texts,
    base=texts,
    fingerprint=digests,
    attempt=st.integers(1, 99),
    dataset_digest=digests,
    written=hyperparameters,
    resolved=hyperparameters,
    revision=texts,
    started=texts,
    ended=texts,
    outcome=st.sampled_from(RunOutcome),
    error=texts,
    total_steps=numbers,
    completed_steps=numbers,
    losses=st.lists(points, max_size=5).map(tuple),
    advice=st.none() | st.builds(Advice, st.none() | numbers, texts),
    score=st.none() | st.builds(Score, texts, digests, numbers, numbers),
    cost=floats,
    deleted=st.booleans(),
)
intents = st.builds(
    Intent,
    model=texts,
    fingerprint=digests,
    attempt=st.integers(1, 99),
    nonce=texts,
    revision=texts,
    provider=texts,
    since=texts,
    cost=floats,
    answer=st.sampled_from(Answer),
    training=st.none() | st.builds(Training, texts, texts, hyperparameters, digests),
)
records = st.builds(
    Record,
    name=names,
    provider=st.text(string.ascii_letters, min_size=1),
    deletion_policy=st.sampled_from(DeletionPolicy),
    attempted=texts,
    applied=texts,
    conditions=st.lists(
        st.builds(Condition, st.sampled_from(ConditionType), st.sampled_from(Truth), st.sampled_from(Reason), texts),
        max_size=4,
    ).map(tuple),
    active=st.none() | slots,
    pending=st.none() | slots,
    retired=st.lists(slots, max_size=3).map(tuple),
    intent=st.none() | intents,
    runs=st.lists(runs, max_size=3).map(tuple),
    tenths=st.integers(0, 10),
    prefix=texts,
    display_name=texts,
    description=texts,
    sampling=st.builds(Sampling, floats, floats, st.none() | numbers),
    delete_approved=st.booleans(),
    missing=st.booleans(),
    orphaned=st.booleans(),
)

"""Values every renderer is shown, and golden files: `GITUNE_UPDATE_GOLDEN=1 pytest tests/report` writes them anew."""

import os
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from controller.errors import Problem, Severity
from controller.plan.actions import (
    Change,
    ChangeClass,
    Create,
    DatasetChange,
    Done,
    Guard,
    Held,
    Hold,
    Nothing,
    Outcome,
    Plan,
    Retune,
    Wait,
)
from controller.plan.admission import BudgetUse
from controller.plan.cost import Cost
from controller.plan.world import World
from controller.providers.gemini.facts import FACTS as GEMINI
from controller.report.plan_comment import DataNote, Note, PlanView, Seconds
from controller.report.quality import Quality, quality_of
from controller.settings import Budget, Policy
from controller.state.conditions import Condition, ConditionType, Truth
from controller.state.desired import BaseModel, Dataset, Desired, DesiredModel, Evaluation, Example, Place
from controller.state.identity import Hyperparameters
from controller.state.observed import LossPoint, Observed, RemoteModel, RemoteState
from controller.state.reasons import Reason
from controller.state.recorded import Advice, Record, Recorded, Run, RunOutcome, Score, Slot

GOLDEN = Path(__file__).parent / "golden"
UPDATE = bool(os.environ.get("GITUNE_UPDATE_GOLDEN"))  # read here: each test runs without GITUNE_ variables
A, B = "a1" * 32, "b2" * 32
REVISION = "0123456789abcdef0123456789abcdef01234567"

Golden = Callable[[str, str], None]
Draw = Callable[..., str]


@pytest.fixture
def golden() -> Golden:
    """Compare a text with a golden file, byte for byte."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / name
        if UPDATE:
            path.write_text(text, encoding="utf-8", newline="")
        assert path.read_bytes().decode() == text

    return check


def _drawn(renderable: RenderableType, width: int = 100) -> str:
    """What a terminal without colours shows."""
    sink = StringIO()
    Console(file=sink, width=width, color_system=None, legacy_windows=False).print(renderable)
    return "".join(f"{line.rstrip()}\n" for line in sink.getvalue().splitlines())


def _desired(name: str = "next-number", **hyperparameters: int) -> DesiredModel:
    examples = tuple(Example(str(n), str(n + 1)) for n in range(1, 141))
    return DesiredModel(
        name=name,
        place=Place(f"specs/{name}.yaml", 4, 3),
        provider="local",
        provider_type="local",
        base=BaseModel("models/tiny"),
        hyperparameters=Hyperparameters(**hyperparameters),
        dataset=Dataset.of(f"specs/{name}.jsonl", B, examples),
        start=GEMINI.start,
    )


def _losses(count: int = 140, epochs: int = 4) -> tuple[LossPoint, ...]:
    """A curve that falls from 4 to about 0.02 with a ripple on it; the same each time."""
    return tuple(
        LossPoint(
            step=n + 1,
            epoch=(n + 1) * epochs // count,
            mean_loss=round(4 * 0.96**n + (0.08 if n % 3 else -0.004) * 0.97**n + 0.01, 6),
            time=f"2026-03-01T10:{n // 60:02d}:{n % 60:02d}Z",
        )
        for n in range(count)
    )


def _run(model: str = "tunedModels/next-number-ugq2dinbug-1", outcome: RunOutcome = RunOutcome.SUCCEEDED) -> Run:
    return Run(
        model=model,
        provider_type="local",
        base="models/tiny",
        fingerprint=A,
        attempt=1,
        dataset_digest=B,
        resolved=Hyperparameters(epoch_count=4, batch_size=4, learning_rate=0.001),
        revision=REVISION,
        started="2026-03-01T10:00:00Z",
        ended="2026-03-01T10:02:20Z",
        outcome=outcome,
        total_steps=140,
        completed_steps=140,
        losses=_losses(),
        advice=Advice(3, "the mean loss of epoch 3 is within 2 % of the lowest"),
        score=Score("exactMatch", B, 39, 40, unanswered=1, baseline=4),
    )


def _ready() -> Record:
    model = "tunedModels/next-number-ugq2dinbug-1"
    return Record(
        name="next-number",
        provider="local",
        attempted=REVISION,
        applied=REVISION,
        conditions=(
            Condition(ConditionType.AVAILABLE, Truth.TRUE, Reason.UP_TO_DATE, f"{model} serves"),
            Condition(ConditionType.READY, Truth.TRUE, Reason.UP_TO_DATE),
        ),
        active=Slot(model, A, 1, "Active", provider="local"),
        retired=(
            Slot(
                "tunedModels/next-number-zzzzzzzzzz-1",
                B,
                1,
                "Active",
                provider="local",
                tombstone="2026-03-02T08:00:00Z",
            ),
        ),
        runs=(_run(),),
        tenths=10,
        prefix="number: ",
    )


def _tuning() -> Record:
    model = "tunedModels/messages-ugq2dinbug-2"
    part = _run(model, RunOutcome.TUNING)
    part = Run(
        model=model,
        provider_type="local",
        base="models/tiny",
        fingerprint=A,
        attempt=2,
        dataset_digest=B,
        started=part.started,
        total_steps=140,
        completed_steps=56,
        losses=part.losses[:56],
    )
    return Record(
        name="messages",
        provider="local",
        attempted=REVISION,
        conditions=(
            Condition(ConditionType.AVAILABLE, Truth.FALSE, Reason.TUNING, "no run serves yet"),
            Condition(ConditionType.READY, Truth.FALSE, Reason.TUNING, "56 of 140 steps"),
            Condition(ConditionType.RECONCILING, Truth.TRUE, Reason.TUNING, "56 of 140 steps"),
        ),
        pending=Slot(model, A, 2, "Creating", provider="local"),
        runs=(part,),
        tenths=4,
    )


def _stalled() -> Record:
    failed = Run(
        model="tunedModels/faulty-ugq2dinbug-1",
        provider_type="gemini",
        base="models/tiny",
        fingerprint=A,
        attempt=1,
        dataset_digest=B,
        outcome=RunOutcome.FAILED,
        error="the learning rate is too high: the loss is not a number any more",
    )
    return Record(
        name="faulty",
        provider="gemini",
        conditions=(
            Condition(ConditionType.AVAILABLE, Truth.FALSE, Reason.RUN_FAILED),
            Condition(ConditionType.READY, Truth.FALSE, Reason.RUN_FAILED, failed.error),
            Condition(ConditionType.STALLED, Truth.TRUE, Reason.RUN_FAILED, failed.error),
        ),
        runs=(failed,),
    )


@pytest.fixture
def records() -> dict[str, Record]:
    return {r.name: r for r in (_ready(), _tuning(), _stalled())}


@pytest.fixture
def world(records: dict[str, Record]) -> World:
    """What a pass over these records has read: specs that ask for an evaluation, and a budget."""
    asked = Evaluation(Dataset.of("specs/next-number.eval.jsonl", B, ()), "exactMatch", 0.8)
    specs = tuple(replace(_desired(name), evaluation=asked, labels={"team": "demo"}) for name in records)
    policy = Policy(budget=Budget(200.0, "USD"))
    desired = Desired(REVISION, specs)
    return World(desired, Recorded(records), Observed(), "acme/models", policy=policy, month="2026-03")


@pytest.fixture
def plan() -> Plan:
    return Plan(
        revision=REVISION,
        actions=(
            Create(
                name="next-number",
                provider="local",
                reason=Reason.NEW_SPEC,
                message="no run of these inputs exists yet",
                model="tunedModels/next-number-ugq2dinbug-1",
                fingerprint=A,
                attempt=1,
                dataset=DatasetChange(140, 742),
                digest=A,
                desired=_desired(),
                base="models/tiny",
            ),
            Retune(
                name="messages",
                provider="local",
                reason=Reason.INPUTS_CHANGED,
                message="the spec asks for other inputs; tunedModels/messages-aaaaaaaaaa-1 serves until then",
                model="tunedModels/messages-wmrlfmvsw-1",
                fingerprint=B,
                attempt=1,
                changes=(
                    Change("hyperparameters.epochCount", ChangeClass.RETUNE, "5", "8"),
                    Change("displayName", ChangeClass.UPDATE, "", "Support | messages"),
                    Change("runHistoryLimit", ChangeClass.LOCAL, "2", "3"),
                ),
                dataset=DatasetChange(140, 742, added=3, removed=1, edited=2, duplicates=1),
                digest=B,
                desired=_desired("messages", epoch_count=8, batch_size=8),
                base="models/tiny",
                cost=Cost(0.024, 0.0712, "USD", "2026-01-31"),
            ),
            Wait(
                name="slow",
                provider="local",
                reason=Reason.TUNING,
                message="40 of 100 steps",
                model="tunedModels/slow-ugq2dinbug-1",
                fingerprint=A,
                attempt=1,
                completed_steps=40,
                total_steps=100,
            ),
            Hold(
                name="faulty",
                provider="gemini",
                reason=Reason.RUN_FAILED,
                message="the run failed; raise spec.attempt to pay for another",
            ),
            Nothing(
                name="quiet",
                provider="local",
                reason=Reason.UP_TO_DATE,
                message="up to date",
                model="tunedModels/quiet-ugq2dinbug-1",
            ),
        ),
        guards=(
            Guard(
                "MaxDeletes",
                "2 models would be deleted in one pass; policy.maxDeletes is 1",
                ("old", "older"),
                ("delete:old", "delete:older"),
            ),
        ),
        digest="c3" * 32,
    )


@pytest.fixture
def review(plan: Plan) -> PlanView:
    """The plan of a pull request: a first run, a new run beside the one that serves, and what holds a third model."""
    actions = tuple(action for action in plan.actions if action.acts or isinstance(action, Hold))
    data = DataNote(140, 742, added=(138, 139, 140), edited=(7, 21), removed=1, known_before=True, lengths=(5, 7, 9))
    asked = Evaluation(Dataset.of("specs/messages.eval.jsonl", A, ()), "exactMatch", 0.8)
    serving = replace(_run(), score=Score("exactMatch", A, 91, 100, baseline=33))
    notes = {
        "next-number": Note(data=DataNote(140, 742, lengths=(5, 7, 9)), free=True, quality=Quality()),
        "messages": Note(
            data=data,
            time=Seconds(480, 640, 3),
            reusable="tunedModels/messages-aaaaaaaaaa-1",
            quality=quality_of(None, serving, asked),
        ),
    }
    return PlanView(
        plan=Plan(REVISION, actions, (), plan.digest),
        head=REVISION,
        unchanged=2,
        notes=notes,
        budget=BudgetUse(12.4, Budget(200.0, "USD")),
    )


@pytest.fixture
def outcomes(plan: Plan) -> tuple[Outcome, ...]:
    create, retune, wait, hold, nothing = plan.actions
    remote = RemoteModel(name="tunedModels/next-number-ugq2dinbug-1", state=RemoteState.CREATING)
    late = Held(retune, Reason.QUOTA_EXCEEDED, "the tuning quota is used up", "apply again after 17:00 UTC")
    return (Done(create, remote), late, Done(wait), Done(hold), Done(nothing))


@pytest.fixture
def problems() -> tuple[Problem, ...]:
    return (
        Problem(
            "specs/triage.yaml", 14, 3, "GT012", "epochCount must be at least 1", hint="leave it out for the default"
        ),
        Problem("specs/triage.jsonl", 7, 1, "GT203", "the same example as line 3", Severity.WARNING),
        Problem("specs/triage.jsonl", 0, 0, "GT220", "60 examples; 100 or more are advised", Severity.ADVICE),
    )


@pytest.fixture
def losses() -> tuple[LossPoint, ...]:
    return _losses()


@pytest.fixture
def run() -> Run:
    return _run()


@pytest.fixture
def drawn() -> Draw:
    """What a terminal without colours shows, at a width."""
    return _drawn

"""What the simulation found, each as the smallest test that shows it."""

from __future__ import annotations

from dataclasses import replace

from controller.plan.actions import Adopt, Cancel, Create, Delete, Done, Reuse
from controller.plan.record import refreshed
from controller.plan.transitions import after
from controller.plan.world import World
from controller.providers.gemini.facts import FACTS as GEMINI
from controller.state.desired import BaseModel, Dataset, Desired, DesiredModel, Example, Place
from controller.state.identity import Hyperparameters
from controller.state.observed import Observed, ObservedProvider, RemoteModel, RemoteState
from controller.state.reasons import Reason
from controller.state.recorded import Intent, Record, Recorded, Run, RunOutcome, Slot

MODEL = "tunedModels/alpha-aaaaaaaaaa-1"
DIGEST = "ab" * 32
SLOT = Slot(MODEL, DIGEST, 1, "Active", provider="cloud")
RUN = Run(
    model=MODEL,
    provider_type="gemini",
    base="models/tiny",
    fingerprint=DIGEST,
    attempt=1,
    dataset_digest=DIGEST,
    outcome=RunOutcome.SUCCEEDED,
)
# As the other controller wrote it while our answer was on its way.
GONE_ON = Record(name="alpha", provider="cloud", active=SLOT, runs=(RUN,))
WANTED = DesiredModel(
    name="alpha",
    place=Place("specs/alpha.yaml"),
    provider="cloud",
    provider_type="gemini",
    base=BaseModel("models/tiny"),
    hyperparameters=Hyperparameters(),
    start=GEMINI.start,
    dataset=Dataset.of("rows.jsonl", DIGEST, (Example("1", "2"),)),
)
WORLD = World(Desired("c" * 40, (WANTED,)), Recorded(), Observed(), "example.com/models")
ANSWERED = RemoteModel(name=MODEL, state=RemoteState.CREATING)


def test_a_create_whose_answer_comes_late_takes_nothing_back_that_another_controller_recorded() -> None:
    create = Create(
        name="alpha",
        provider="cloud",
        reason=Reason.NEW_SPEC,
        message="",
        model=MODEL,
        fingerprint=DIGEST,
        attempt=1,
        desired=WANTED,
        base="models/tiny",
    )
    assert after(GONE_ON, Done(create, ANSWERED), WORLD, "2026-01-01T00:00:00Z") == GONE_ON


def test_an_answer_that_comes_late_leaves_the_intent_of_a_create_that_another_controller_has_sent_since() -> None:
    create = Create(
        name="alpha",
        provider="cloud",
        reason=Reason.NEW_SPEC,
        message="",
        model=MODEL,
        fingerprint=DIGEST,
        attempt=1,
        desired=WANTED,
        base="models/tiny",
    )
    later = Intent("", DIGEST, 2, "0" * 16, "d" * 40)
    gone_on = replace(GONE_ON, intent=later)
    assert after(gone_on, Done(create, ANSWERED), WORLD, "2026-01-01T00:00:00Z") == gone_on
    unknown = Record(name="alpha", provider="cloud", intent=later)
    assert after(unknown, Done(create, ANSWERED), WORLD, "2026-01-01T00:00:00Z").intent == later


def test_an_adoption_that_lost_the_race_takes_nothing_back_and_settles_the_intent() -> None:
    adopt = Adopt(
        name="alpha",
        provider="cloud",
        reason=Reason.INTENT_FOUND,
        message="",
        model=MODEL,
        fingerprint=DIGEST,
        attempt=1,
    )
    open_one = Record(
        name="alpha", provider="cloud", active=SLOT, runs=(RUN,), intent=Intent(MODEL, DIGEST, 1, "0" * 16, "c" * 40)
    )
    assert after(open_one, Done(adopt, ANSWERED), WORLD, "2026-01-01T00:00:00Z") == GONE_ON


def test_a_deletion_is_remembered_as_acted_on_so_that_a_mirror_that_lags_cannot_bring_the_model_back() -> None:
    delete = Delete(
        name="alpha",
        provider="cloud",
        reason=Reason.SPEC_REMOVED,
        message="",
        model=MODEL,
        fingerprint=DIGEST,
        attempt=1,
    )
    assert after(GONE_ON, Done(delete), WORLD, "2026-01-01T00:00:00Z").attempted == "c" * 40


def test_a_cancel_that_came_too_late_leaves_the_end_that_another_controller_saw() -> None:
    cancel = Cancel(
        name="alpha",
        provider="cloud",
        reason=Reason.SUPERSEDED,
        message="",
        model=MODEL,
        fingerprint=DIGEST,
        attempt=1,
        operation="",
    )
    assert after(GONE_ON, Done(cancel), WORLD, "2026-01-01T00:00:00Z").runs == (RUN,)


def test_a_model_whose_deletion_was_due_and_that_is_gone_was_deleted_by_us_and_may_be_paid_for_again() -> None:
    doomed = replace(GONE_ON, active=replace(SLOT, tombstone="2026-01-01T00:00:00Z", tombstone_revision="d" * 40))
    nothing = Observed({"cloud": ObservedProvider("cloud")})
    seen = refreshed(
        doomed, replace(WORLD, observed=nothing, due=frozenset({MODEL})), "2026-01-02T00:00:00Z", ("alpha",)
    )
    assert seen.active is None
    assert [run.deleted for run in seen.runs] == [True]


def test_a_model_that_is_gone_before_its_deletion_was_due_was_not_deleted_by_us() -> None:
    doomed = replace(GONE_ON, active=replace(SLOT, tombstone="2026-01-01T00:00:00Z", tombstone_revision="d" * 40))
    nothing = Observed({"cloud": ObservedProvider("cloud")})
    seen = refreshed(doomed, replace(WORLD, observed=nothing), "2026-01-01T00:01:00Z", ("alpha",))
    assert [run.deleted for run in seen.runs] == [False]


def test_a_served_model_that_was_found_again_is_not_said_to_tune() -> None:
    reuse = Reuse(
        name="alpha",
        provider="cloud",
        reason=Reason.RUN_EXISTS,
        message="",
        model=MODEL,
        fingerprint=DIGEST,
        attempt=1,
        desired=WANTED,
    )
    found = after(
        Record(name="alpha", provider="cloud"),
        Done(reuse, replace(ANSWERED, state=RemoteState.ACTIVE)),
        WORLD,
        "2026-01-01T00:00:00Z",
    )
    assert [run.outcome for run in found.runs] == [RunOutcome.SUCCEEDED]


def test_an_end_that_stands_under_the_former_name_is_not_taken_back_under_the_new_one() -> None:
    renamed = replace(WANTED, name="beta", former_names=("alpha",))
    tuning = Record(name="beta", provider="cloud", active=SLOT, runs=(replace(RUN, outcome=RunOutcome.TUNING),))
    both = {"alpha": replace(GONE_ON, orphaned=True), "beta": tuning}
    record = replace(WORLD, recorded=Recorded(both)).record_of(renamed)
    assert record is not None
    assert [run.outcome for run in record.runs] == [RunOutcome.SUCCEEDED]

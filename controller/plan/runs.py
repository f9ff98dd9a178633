"""A run and its remote model to the run as it stands now, and the slot it stands in: it only moves forward."""

from __future__ import annotations

from collections.abc import Callable

from controller.plan.advice import advise
from controller.state.changing import changed
from controller.state.desired import DeletionPolicy
from controller.state.identity import Hyperparameters, Training, fingerprint
from controller.state.observed import RemoteModel, RemoteState, remote_state
from controller.state.recorded import Record, Run, RunOutcome, Slot

_TENTHS = 10
_RANK = {
    RemoteState.UNKNOWN: 0,
    RemoteState.CREATING: 1,
    RemoteState.ACTIVE: 2,
    RemoteState.FAILED: 2,
    RemoteState.CANCELLED: 3,  # a provider may first report a cancelled run as failed
}
_ENDS = {
    RemoteState.ACTIVE: RunOutcome.SUCCEEDED,
    RemoteState.FAILED: RunOutcome.FAILED,
    RemoteState.CANCELLED: RunOutcome.CANCELLED,
}
STOPPED = frozenset({RunOutcome.CANCELLED, RunOutcome.DEADLINE_EXCEEDED})  # by a cancel, which is only a request


def new_run(training: Training, attempt: int, remote: RemoteModel, revision: str, now: str) -> Run:
    """The run that a create of these inputs began. ``now`` is RFC 3339, used where the provider gives no time."""
    return Run(
        model=remote.name,
        provider_type=training.provider_type,
        base=training.base,
        fingerprint=fingerprint(training),
        attempt=attempt,
        dataset_digest=training.dataset_digest,
        written=training.hyperparameters,
        resolved=remote.hyperparameters,
        revision=revision,
        started=remote.created or now,
        total_steps=remote.progress.total_steps,
    )


def tenths(run: Run) -> int:
    """Progress in tenths, rounded down: what a reader of the status cares for."""
    return run.completed_steps * _TENTHS // run.total_steps if run.total_steps else 0


def advanced(run: Run, remote: RemoteModel, now: str) -> Run:
    """The run after a look at its remote model. Steps and losses move by tenths, so a quiet run writes nothing."""
    run = changed(run, resolved=filled(run.resolved, remote.hyperparameters))
    if run.outcome is not RunOutcome.TUNING:
        return run
    end = _ENDS.get(remote.state)
    seen = changed(
        run,
        total_steps=remote.progress.total_steps or run.total_steps,
        completed_steps=max(run.completed_steps, remote.progress.completed_steps),
    )
    seen = seen.with_losses(remote.losses) if remote.losses else seen
    if end is not None:
        return _ended(seen, remote, end, now)
    return seen if tenths(seen) > tenths(run) or not run.total_steps else run


def filled(known: Hyperparameters, told: Hyperparameters) -> Hyperparameters:
    """What was resolved, with what was not known before. A value never changes: another one later is drift."""
    if known == told:
        return known
    return Hyperparameters(
        epoch_count=told.epoch_count if known.epoch_count is None else known.epoch_count,
        batch_size=told.batch_size if known.batch_size is None else known.batch_size,
        learning_rate=told.learning_rate if known.learning_rate is None else known.learning_rate,
        learning_rate_multiplier=(
            told.learning_rate_multiplier if known.learning_rate_multiplier is None else known.learning_rate_multiplier
        ),
    )


def stopped(run: Run, outcome: RunOutcome, now: str) -> Run:
    """The run as we stopped it."""
    return changed(run, outcome=outcome, ended=now)


def forward(slot: Slot, remote: RemoteModel) -> Slot:
    """The slot after a look: a state that lies before the recorded one is an old answer and changes nothing."""
    operation = remote.operation or slot.operation
    before = _RANK[remote_state(slot.state)]
    state = remote.state if _RANK[remote.state] >= before else slot.state
    return changed(slot, state=state, operation=operation)


def _ended(run: Run, remote: RemoteModel, outcome: RunOutcome, now: str) -> Run:
    ended = remote.completed or remote.updated or now
    done = changed(run, outcome=outcome, ended=ended, error=remote.error)
    if outcome is not RunOutcome.SUCCEEDED:
        return done
    advice = advise(remote.losses or run.losses, run.epochs) if run.epochs else None
    return changed(done, completed_steps=done.total_steps, advice=advice)


def each_slot(record: Record, change: Callable[[Slot | None], Slot | None]) -> Record:
    """Every slot changed; None empties it."""
    return changed(
        record,
        active=change(record.active),
        pending=change(record.pending),
        retired=tuple(kept for slot in record.retired if (kept := change(slot))) if record.retired else (),
    )


def retire_finished(record: Record) -> Record:
    """The pending slot emptied: a run that finished well is kept for a free revert, any other is only remembered.

    What is left of one that was stopped is kept, too, where models are to be deleted: it must not be lost sight of.
    """
    old = record.pending
    if old is None:
        return record
    run = record.run(old.model)
    outcome = run.outcome if run is not None else RunOutcome.TUNING
    is_kept = outcome is RunOutcome.SUCCEEDED or (
        outcome in STOPPED and record.deletion_policy is DeletionPolicy.DELETE
    )
    return changed(record, pending=None, retired=(old, *record.retired) if is_kept else record.retired)


def beyond_limit(record: Record, limit: int) -> tuple[Slot, ...]:
    """The retired slots beyond a history of ``limit`` runs, the newest first.

    Only a run that can be reverted to takes a place that another such run could have.
    """
    if not record.retired:
        return ()
    good = [slot for slot in record.retired if _is_good(record.run(slot.model))]
    kept = {slot.model for slot in good[:limit]}
    kept |= {slot.model for slot in record.retired[:limit] if slot not in good}
    return tuple(slot for slot in record.retired if slot.model not in kept)


def _is_good(run: Run | None) -> bool:
    return run is None or run.outcome is RunOutcome.SUCCEEDED

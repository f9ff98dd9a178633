"""Records to JSON values of a shape that others may rely on (docs/commands.md)."""

from __future__ import annotations

import math
from collections.abc import Mapping

from controller.report.standing import latest_run
from controller.state.conditions import Condition
from controller.state.identity import Hyperparameters
from controller.state.observed import LossPoint
from controller.state.recorded import Advice, Record, Run, Score, Slot

JsonObject = dict[str, object]


def status_json(records: Mapping[str, Record]) -> JsonObject:
    """``{schemaVersion, models: […]}``, by name."""
    return {"schemaVersion": 1, "models": [_model(records[name]) for name in sorted(records)]}


def condition_json(condition: Condition) -> JsonObject:
    """``{type, status, reason, message}``."""
    return {
        "type": condition.type,
        "status": condition.status,
        "reason": condition.reason,
        "message": condition.message,
    }


def score_json(score: Score | None) -> JsonObject | None:
    """``{metric, digest, right, asked, value}``; null where nothing was evaluated."""
    if score is None:
        return None
    return {
        "metric": score.metric,
        "digest": score.digest,
        "right": score.right,
        "asked": score.asked,
        "value": score.value,
    }


def _model(record: Record) -> JsonObject:
    latest = latest_run(record)
    return {
        "name": record.name,
        "provider": record.provider,
        "conditions": [condition_json(c) for c in record.conditions],
        "attempted": record.attempted,
        "applied": record.applied,
        "active": _slot(record.active),
        "pending": _slot(record.pending),
        "retired": [_slot(slot) for slot in record.retired],
        "runs": [_run(run) for run in record.runs],
        "advice": _advice(latest.advice) if latest else None,
        "prefix": record.prefix,
        "orphaned": record.orphaned,
        "deletionPolicy": record.deletion_policy,
    }


def _slot(slot: Slot | None) -> JsonObject | None:
    if slot is None:
        return None
    return {
        "model": slot.model,
        "fingerprint": slot.fingerprint,
        "attempt": slot.attempt,
        "state": slot.state,
        "provider": slot.provider,
        "doomed": slot.doomed,
    }


def _run(run: Run) -> JsonObject:
    return {
        "model": run.model,
        "fingerprint": run.fingerprint,
        "attempt": run.attempt,
        "base": run.base,
        "revision": run.revision,
        "started": run.started,
        "ended": run.ended,
        "outcome": run.outcome,
        "error": run.error,
        "totalSteps": run.total_steps,
        "completedSteps": run.completed_steps,
        "hyperparameters": {"written": _hyperparameters(run.written), "resolved": _hyperparameters(run.resolved)},
        "losses": [_loss(point) for point in run.losses],
        "advice": _advice(run.advice),
        "score": score_json(run.score),
    }


def _hyperparameters(given: Hyperparameters) -> JsonObject:
    return {
        "epochCount": given.epoch_count,
        "batchSize": given.batch_size,
        "learningRate": given.learning_rate,
        "learningRateMultiplier": given.learning_rate_multiplier,
    }


def _loss(point: LossPoint) -> JsonObject:
    # JSON has no NaN: a run that diverged says null there.
    mean = point.mean_loss if math.isfinite(point.mean_loss) else None
    return {"step": point.step, "epoch": point.epoch, "meanLoss": mean, "time": point.time}


def _advice(advice: Advice | None) -> JsonObject | None:
    return None if advice is None else {"epochs": advice.epochs, "because": advice.because}

"""A plan, and what became of it, to JSON values of a shape that others may rely on (docs/commands.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from controller.plan.actions import Action, DatasetChange, Done, Held, Outcome, Plan, Tune
from controller.report.estimate import estimate
from controller.report.status_json import condition_json, score_json
from controller.state.recorded import Record

SCHEMA_VERSION = 1
JsonObject = dict[str, object]


def as_json(plan: Plan) -> JsonObject:
    """``{schemaVersion, digest, revision, actions, guards, summary}``."""
    return {
        "schemaVersion": SCHEMA_VERSION,
        "digest": plan.digest,
        "revision": plan.revision,
        "actions": [_action(action) for action in plan.actions],
        "guards": [
            {"code": g.code, "message": g.message, "names": list(g.names), "allow": list(g.allow)} for g in plan.guards
        ],
        "summary": plan.summary,
    }


def applied_json(plan: Plan, outcomes: Sequence[Outcome], records: Mapping[str, Record]) -> JsonObject:
    """The plan's own shape, with ``outcomes`` and, by model, the conditions they left behind."""
    return {
        **as_json(plan),
        "outcomes": [_outcome(outcome) for outcome in outcomes],
        "models": [
            {"name": name, "conditions": [condition_json(c) for c in records[name].conditions]}
            for name in sorted(records)
        ],
    }


def _action(action: Action) -> JsonObject:
    return {
        "name": action.name,
        "action": action.word,
        "digest": action.digest,
        "reason": action.reason,
        "message": action.message,
        "provider": action.provider,
        "model": action.model,
        "fingerprint": action.fingerprint,
        "attempt": action.attempt,
        "changes": [
            {"field": c.field, "class": c.change_class, "from": c.before, "to": c.after} for c in action.changes
        ],
        "dataset": _dataset(action.dataset),
        "estimate": _estimate(action),
    }


def _estimate(action: Action) -> JsonObject | None:
    guess = estimate(action)
    if guess is None or not isinstance(action, Tune):
        return None
    cost = action.cost and {
        "low": action.cost.low,
        "high": action.cost.high,
        "currency": action.cost.currency,
        "asOf": action.cost.as_of,
    }
    return {"steps": guess.steps, "characters": guess.characters, "assumed": list(guess.assumed), "cost": cost}


def _dataset(change: DatasetChange | None) -> JsonObject | None:
    if change is None:
        return None
    return {
        "examples": change.examples,
        "added": change.added,
        "removed": change.removed,
        "edited": change.edited,
        "duplicates": change.duplicates,
        "characters": change.characters,
    }


def _outcome(outcome: Outcome) -> JsonObject:
    shared: JsonObject = {"name": outcome.action.name, "action": outcome.action.word}
    score = score_json(outcome.score)
    match outcome:
        case Done(action=action, remote=remote):
            model = remote.name if remote else action.model
            said = {"result": "done", "reason": action.reason, "message": action.message, "hint": "", "model": model}
        case Held(action=action, reason=reason, message=message, hint=hint):
            said = {"result": "held", "reason": reason, "message": message, "hint": hint, "model": action.model}
    return {**shared, **said, "score": score}

"""An action, and a plan, to a digest over all that it rests on: what was reviewed is what is applied."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace

from controller.plan.actions import Action, Hold, Nothing, Promote, Reuse, Tune, Update, Wait

_VERSION = "gitune-plan/1"


def digested(action: Action) -> Action:
    """The same action with its digest: over its spec, dataset, base model and the facts that decided it."""
    rests_on: dict[str, object] = {
        "version": _VERSION,
        "action": action.word,
        "name": action.name,
        "provider": action.provider,
        "reason": action.reason,
        "model": action.model,
        "fingerprint": action.fingerprint,
        "attempt": action.attempt,
        "changes": [[c.field, c.change_class, c.before, c.after] for c in action.changes],
    }
    if isinstance(action, Tune):
        rests_on["base"] = action.base
        rests_on["sent"] = [action.desired.display_name, action.desired.description, repr(action.desired.sampling)]
    if isinstance(action, Tune | Promote | Reuse):
        rests_on["evaluation"] = repr(action.desired.evaluation)
    if isinstance(action, Update):
        rests_on["description"] = action.description
    return replace(action, digest=_sha(rests_on))


def plan_digest(actions: Iterable[Action]) -> str:
    """SHA-256 (hex) over every action that changes something by itself.

    Waiting, holding and the promotion that a finished run brings are progress, not decisions: they do not count.
    """
    counted = [a for a in actions if not isinstance(a, Wait | Nothing | Hold | Promote)]
    return _sha(sorted([a.name, a.word, a.digest] for a in counted))


def _sha(value: object) -> str:
    written = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(written.encode()).hexdigest()

"""What was reviewed is what is applied: digests, guards and what is withheld from a plan."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from controller.plan.actions import Action, Delete, Guard, Hold, Nothing, Plan, Promote, Reuse, Tune, Update, Wait
from controller.plan.world import World
from controller.settings import Policy
from controller.state.desired import Desired
from controller.state.identity import NAME
from controller.state.reasons import Reason
from controller.state.recorded import Recorded

_VERSION = "gitune-plan/1"
_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)


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
    return hashlib.sha256(_JSON.encode(value).encode()).hexdigest()


ALLOW_BEHIND = "behind"
ALLOW_EMPTY = "empty"
ALLOW_CREATES = "creates"
ALLOW_DELETE = "delete:"  # and the name
ALLOW_REVIEW = "review:"  # and the name
ALLOW_WORDS = (ALLOW_BEHIND, ALLOW_CREATES, ALLOW_EMPTY)
_LOST_HINT = "`git fetch` and merge; only a commit lost to a forced push is not there to fetch."
_OLDER_HINT = "Fetch what is newer; on a branch that was put back on purpose, a commit on top ends this."


def is_allowance(word: str) -> bool:
    """Whether a guard may have this word."""
    return word in ALLOW_WORDS or _names_one(word, ALLOW_DELETE)


def is_review_allowance(word: str) -> bool:
    """Whether it lets pass what nobody has reviewed of one name."""
    return _names_one(word, ALLOW_REVIEW)


def _names_one(word: str, kind: str) -> bool:
    return word.startswith(kind) and NAME.fullmatch(word.removeprefix(kind)) is not None


def allowed_reviews(words: frozenset[str]) -> frozenset[str]:
    """The names for which a person lets pass what nobody has reviewed."""
    return frozenset(word.removeprefix(ALLOW_REVIEW) for word in words if word.startswith(ALLOW_REVIEW))


def guards(actions: Sequence[Action], world: World) -> tuple[Guard, ...]:
    """Every guard that stands; none of them hides the plan."""
    found = (
        _behind(actions, world),
        _creates(actions, world.policy),
        _deletes(actions, world.policy),
        _empty(world.desired, world.recorded),
    )
    return tuple(guard for guard in found if guard is not None)


def standing(found: Sequence[Guard], allowed: frozenset[str]) -> tuple[Guard, ...]:
    """The guards that were not allowed by name: each of a guard's words has to be given."""
    return tuple(guard for guard in found if not guard.allow or not allowed.issuperset(guard.allow))


def uncommitted(actions: Sequence[Action], world: World) -> tuple[Guard, ...]:
    """P2: what costs money is asked for by a commit, never by a working tree. Stands only where a plan is applied."""
    if world.desired.revision is not None:
        return ()
    names = tuple(a.name for a in actions if isinstance(a, Tune | Update | Delete) and not world.is_free(a.provider))
    if not names:
        return ()
    message = "a working tree may only be applied to providers that cost nothing: commit, then apply"
    return (Guard("Uncommitted", message, names),)


def _behind(actions: Sequence[Action], world: World) -> Guard | None:
    """A mirror that lags looks like a branch that was put back: acting on it would undo what the newer commit asked."""
    names = tuple(a.name for a in actions if not a.is_progress)
    acted = sorted({r.attempted for r in world.recorded.records.values()} & world.history.lost)
    if names and acted:
        more = f" (and {len(acted) - 1} more)" if len(acted) > 1 else ""
        message = f"this clone does not have commit {acted[0]}{more}, which an earlier pass acted on"
        return Guard("Behind", message, names, (ALLOW_BEHIND,), _LOST_HINT)
    if not world.history.behind or not names:
        return None
    message = f"{world.desired.revision} is older than a commit that was acted on: a mirror may lag"
    return Guard("Behind", message, names, (ALLOW_BEHIND,), _OLDER_HINT)


def _creates(actions: Sequence[Action], policy: Policy) -> Guard | None:
    names = tuple(a.name for a in actions if isinstance(a, Tune))
    if len(names) <= policy.max_creates:
        return None
    message = f"{len(names)} runs would be paid for in one pass; policy.maxCreates is {policy.max_creates}"
    return Guard("MaxCreates", message, names, (ALLOW_CREATES,))


def _deletes(actions: Sequence[Action], policy: Policy) -> Guard | None:
    names = tuple(dict.fromkeys(a.name for a in actions if isinstance(a, Delete)))
    if len(names) <= policy.max_deletes:
        return None
    message = f"models of {len(names)} specs would be deleted in one pass; policy.maxDeletes is {policy.max_deletes}"
    return Guard("MaxDeletes", message, names, tuple(f"{ALLOW_DELETE}{name}" for name in names))


def _empty(desired: Desired, recorded: Recorded) -> Guard | None:
    kept = tuple(sorted(name for name, record in recorded.records.items() if not record.orphaned))
    if desired.names or not kept:
        return None
    message = f"the revision holds no spec at all, and {len(kept)} are recorded: a wrong folder looks just like this"
    return Guard("EmptySet", message, kept, (ALLOW_EMPTY,))


def withhold(plan: Plan, names: Mapping[str, str], world: World) -> Plan:
    """The same plan, what it would do to these names held with the sentence given for each.

    What only records what happened (adopting, promoting) goes on.
    """
    if not names:
        return plan
    actions = tuple(_held(action, names) for action in plan.actions)
    return replace(plan, actions=actions, guards=guards(actions, world), digest=plan_digest(actions))


def _held(action: Action, names: Mapping[str, str]) -> Action:
    if action.name not in names or action.is_progress:
        return action
    return digested(action.held(Reason.GUARDED, names[action.name]))


def only_new(head: Plan, base: Plan, asks: frozenset[str] = frozenset()) -> Plan:
    """The head's plan without what the base's holds too and without what is in order; its digest stays the whole's.

    What is done for one of the names ``asks`` stays all the same: something else is asked for there.
    """
    known = {(action.name, action.word, action.digest) for action in base.actions}
    new = (a for a in head.actions if a.name in asks or (a.name, a.word, a.digest) not in known)
    return replace(head, actions=tuple(a for a in new if a.name in asks or not isinstance(a, Nothing)))

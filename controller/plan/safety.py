"""A plan and a policy to the guards that apply must not pass without a person's word."""

from __future__ import annotations

from collections.abc import Sequence

from controller.plan.actions import (
    Action,
    Delete,
    Guard,
    Tune,
    Update,
)
from controller.plan.world import World
from controller.settings import Policy
from controller.state.capabilities import Capabilities
from controller.state.desired import Desired
from controller.state.identity import NAME
from controller.state.recorded import Recorded

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
    names = tuple(
        a.name
        for a in actions
        if isinstance(a, Tune | Update | Delete) and not world.capabilities.get(a.provider, Capabilities()).free
    )
    if not names:
        return ()
    message = "a working tree may only be applied to providers that cost nothing: commit, then apply"
    return (Guard("Uncommitted", message, names),)


def _behind(actions: Sequence[Action], world: World) -> Guard | None:
    """A mirror that lags looks like a branch that was put back: acting on it would undo what the newer commit asked."""
    names = tuple(a.name for a in actions if not a.is_progress)
    acted = sorted({r.attempted for r in world.recorded.records.values()} & world.lost)
    if names and acted:
        more = f" (and {len(acted) - 1} more)" if len(acted) > 1 else ""
        message = f"this clone does not have commit {acted[0]}{more}, which an earlier pass acted on"
        return Guard("Behind", message, names, (ALLOW_BEHIND,), _LOST_HINT)
    if not world.behind or not names:
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

"""A plan to the stamps of its review, and a review beside a later plan to what has moved between them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controller.conditions import Reason
from controller.plan.actions import Action, Adopt, Create, Hold, Nothing, Plan, Promote, Retune, Reuse, Wait
from controller.plan.world import World
from controller.report.marker import Marker, Stamp
from controller.report.wording import listed
from controller.settings import Settings
from controller.state.desired import DesiredModel
from controller.state.recorded import Record

# A hold for one of these says by itself what follows when it ends: the run it speaks of was reviewed with it.
_FOLLOWED = frozenset({Reason.QUEUED, Reason.BASE_MODEL_NOT_READY, Reason.QUOTA_EXCEEDED, Reason.VISIBILITY})
_PROGRESS = (Adopt, Hold, Nothing, Promote, Reuse, Wait)  # they cost nothing and change nothing that serves


@dataclass(frozen=True, slots=True)
class Moved:
    """One reviewed model that is not as it was: the parts that differ, in words."""

    name: str
    parts: tuple[str, ...]

    def __str__(self) -> str:
        """``the dataset and the spec``."""
        return listed(self.parts)


def stamps(actions: Iterable[Action], world: World) -> tuple[Stamp, ...]:
    """What a review of these actions rests on, in their order; what is in order needs none."""
    models = {model.name: model for model in world.desired.models}
    return tuple(_stamp(a, models.get(a.name), world) for a in actions if not isinstance(a, Nothing))


def config_digest(settings: Settings) -> str:
    """A short digest of the configuration that a plan was made with."""
    providers = sorted((key, repr(one)) for key, one in settings.providers.items())
    policy = settings.policy
    rest = [
        settings.instance,
        settings.default_provider,
        sorted(settings.specs),
        policy.max_deletes,
        policy.max_creates,
    ]
    return _short([*providers, *rest, repr(policy.budget), sorted(policy.checks.items())])


def moved(marker: Marker, plan: Plan, world: World, config: str) -> tuple[Moved, ...]:
    """Every reviewed model that a plan would now treat in another way than was reviewed, by name.

    The progress of its runs does not count, nor does any other model.
    """
    if marker.stamps is None:
        return () if marker.digest == plan.digest else (Moved("", ("the plan as a whole",)),)
    now = stamps(plan.actions, world)
    reviewed = _by_name(marker.stamps)
    acting = {a.name for a in plan.actions if not isinstance(a, _PROGRESS)}
    found = []
    for name, before in reviewed.items():
        later = [stamp for stamp in now if stamp.name == name]
        if name not in acting or all(_covered(stamp, before) for stamp in later):
            continue
        found.append(Moved(name, _parts(before[0], later[0], same_config=marker.config == config)))
    return tuple(found)


def _covered(stamp: Stamp, before: tuple[Stamp, ...]) -> bool:
    if stamp.word in {kind.word for kind in _PROGRESS}:
        return True
    if any((old.word, old.digest) == (stamp.word, stamp.digest) for old in before):
        return True
    # What was reviewed as a wait for something: a run before it ends, a place in the queue.
    waits = [old for old in before if old.word == "cancel" or old.observed in _FOLLOWED_STAMPS]
    return stamp.word in {"create", "retune"} and any(_same_inputs(old, stamp) for old in waits)


def _same_inputs(old: Stamp, new: Stamp) -> bool:
    return (old.spec, old.dataset, old.base) == (new.spec, new.dataset, new.base)


def _parts(old: Stamp, new: Stamp, *, same_config: bool) -> tuple[str, ...]:
    differs = {
        "the dataset": old.dataset != new.dataset,
        "the spec": old.spec != new.spec,
        "the base model": old.base != new.base,
        "the configuration": not same_config,
        "what the provider and the ledger say": old.observed != new.observed,
    }
    return tuple(part for part, does in differs.items() if does) or ("the action",)


def _stamp(action: Action, model: DesiredModel | None, world: World) -> Stamp:
    observed = _observed(action, world.record_of(model) if model else None)
    if model is None:
        nothing = _short(None)
        return Stamp(action.name, action.word, action.digest[:32], nothing, nothing, nothing, observed)
    return Stamp(
        name=action.name,
        word=action.word,
        digest=action.digest[:32],
        spec=_short(_spec(model)),
        dataset=_short([model.dataset.digest, model.evaluation.dataset.digest if model.evaluation else ""]),
        base=_short(repr(model.base)),
        observed=observed,
    )


def _spec(model: DesiredModel) -> list[object]:
    said = (model.hyperparameters, model.sampling, model.attempt, model.provider, model.display_name, model.description)
    bar = (model.evaluation.metric, model.evaluation.min_score) if model.evaluation else None
    kept = (model.suspend, model.when_superseded, model.deletion_policy, model.run_history_limit, model.max_duration)
    return [repr(said), repr(bar), repr(kept)]


def _observed(action: Action, record: Record | None) -> str:
    if isinstance(action, Hold):
        return _short(str(action.reason))
    if isinstance(action, Create | Retune):
        # The name of a model that is to be made, and what changes, follow from its inputs.
        serving = [slot.model for slot in (record.active, record.pending) if slot] if record else []
        return _short([str(action.reason), action.base, serving])
    return _short([str(action.reason), action.model, [(c.field, c.before) for c in action.changes]])


def _by_name(found: Iterable[Stamp]) -> Mapping[str, tuple[Stamp, ...]]:
    names: dict[str, tuple[Stamp, ...]] = {}
    for stamp in found:
        names[stamp.name] = (*names.get(stamp.name, ()), stamp)
    return names


def _short(value: object) -> str:
    raw = json.dumps(value, separators=(",", ":"), ensure_ascii=True, default=str).encode()
    return hashlib.sha256(raw).hexdigest()[:6]


_FOLLOWED_STAMPS = frozenset(_short(str(reason)) for reason in _FOLLOWED)

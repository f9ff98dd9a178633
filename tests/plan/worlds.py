"""Small worlds for the planner's tests: one spec, its record and what its provider shows."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

from controller.plan.actions import Action
from controller.plan.planner import make_plan
from controller.plan.world import World
from controller.providers.gemini.facts import FACTS as GEMINI
from controller.state.desired import BaseModel, Dataset, Desired, DesiredModel, Example, Place
from controller.state.identity import Hyperparameters, Mark, model_id, with_mark
from controller.state.observed import (
    BaseModelFacts,
    Observed,
    ObservedProvider,
    Progress,
    RemoteModel,
    RemoteState,
)
from controller.state.recorded import Record, Recorded, Run, RunOutcome, Slot
from controller.testing import FREE

INSTANCE = "acme/models"
RESOLVED = Hyperparameters(epoch_count=5, batch_size=4, learning_rate=0.001)
EXAMPLES = tuple(Example(str(n), str(n + 1)) for n in range(20))


def spec(name: str = "numbers", **fields: Any) -> DesiredModel:
    given: dict[str, Any] = {
        "name": name,
        "place": Place(f"specs/{name}.yaml"),
        "provider": "local",
        "provider_type": "local",
        "base": BaseModel("models/tiny"),
        "hyperparameters": Hyperparameters(),
        "start": GEMINI.start,
        "dataset": Dataset.of("specs/d.jsonl", "d" * 64, EXAMPLES),
    }
    return DesiredModel(**{**given, **fields})


def full_name(model: DesiredModel) -> str:
    return "tunedModels/" + model_id(model.name, model.fingerprint, model.attempt, GEMINI.id_length or 0)


def slot_of(model: DesiredModel, state: RemoteState = RemoteState.ACTIVE) -> Slot:
    return Slot(full_name(model), model.fingerprint, model.attempt, state, f"{full_name(model)}/operations/1", "local")


def run_of(model: DesiredModel, outcome: RunOutcome = RunOutcome.SUCCEEDED, **fields: Any) -> Run:
    training = model.training
    return Run(
        model=full_name(model),
        provider_type=training.provider_type,
        base=training.base,
        fingerprint=model.fingerprint,
        attempt=model.attempt,
        dataset_digest=training.dataset_digest,
        written=training.hyperparameters,
        resolved=RESOLVED,
        started="2026-01-01T00:00:00Z",
        outcome=outcome,
        **fields,
    )


def remote_of(model: DesiredModel, state: RemoteState = RemoteState.ACTIVE, **fields: Any) -> RemoteModel:
    mark = Mark(INSTANCE, model.name, model.attempt, model.fingerprint)
    given: dict[str, Any] = {
        "name": full_name(model),
        "state": state,
        "base_model": "models/tiny",
        "display_name": model.display_name or model.name,
        "description": with_mark(model.description or "", mark),
        "sampling": model.sampling,
        "hyperparameters": RESOLVED,
        "operation": f"{full_name(model)}/operations/1",
        "progress": Progress(25, 25 if state is RemoteState.ACTIVE else 10),
    }
    return RemoteModel(**{**given, **fields})


def record_of(model: DesiredModel, **fields: Any) -> Record:
    """A record whose active run is the one the spec asks for."""
    given: dict[str, Any] = {"name": model.name, "provider": model.provider}
    if "active" not in fields and "pending" not in fields:
        given |= {"active": slot_of(model), "runs": (run_of(model),)}
    return Record(**{**given, **fields})


def world_of(
    *models: DesiredModel,
    records: tuple[Record, ...] = (),
    remotes: tuple[RemoteModel, ...] = (),
    **fields: Any,
) -> World:
    provider = ObservedProvider(
        "local",
        MappingProxyType({remote.name: remote for remote in remotes}),
        MappingProxyType({"models/tiny": BaseModelFacts("models/tiny", exists=True, tunable=True)}),
    )
    changed = {key: fields.pop(key) for key in ("complete", "absent", "closed", "base_models") if key in fields}
    provider = replace(provider, **changed)
    desired = fields.pop("desired", None) or Desired("c" * 40, tuple(models))
    return World(
        desired=desired,
        recorded=Recorded(MappingProxyType({record.name: record for record in records}), "tip"),
        observed=Observed(MappingProxyType({"local": provider})),
        instance=INSTANCE,
        facts=MappingProxyType({"local": FREE}),
        **fields,
    )


def actions(world: World) -> tuple[Action, ...]:
    return make_plan(world).actions


def words(world: World) -> list[tuple[str, str]]:
    return [(action.word, action.reason) for action in actions(world)]

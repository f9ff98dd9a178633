"""What is plainly in order against the whole table: whatever differs anywhere, both come to the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import controller.plan.record
from controller.plan.actions import Done, Nothing
from controller.plan.grants import asked_for
from controller.plan.planner import make_plan
from controller.plan.record import next_records
from controller.plan.rules import decide, explain
from controller.plan.rules.agreement import agreement, serving, stays
from controller.plan.rules.table import given as given_by
from controller.plan.world import RevisionHistory, World
from controller.state.desired import BaseModel, Desired, DesiredModel, FromSpec, Sampling
from controller.state.observed import BaseModelFacts, LossPoint, RemoteModel
from controller.state.recorded import Advice, Awaited, Intent, Record, RunOutcome, Score, Stored
from controller.state.reviews import Basis, Decision, Origin, Review
from tests.plan.worlds import record_of, remote_of, run_of, slot_of, spec, world_of

NOW = "2026-06-01T00:00:00Z"
LATER = spec(attempt=2)
# What stands where a value was None, or a field is a value that is not built of simpler ones.
OTHERS: dict[str, list[Any]] = {
    "active": [None, slot_of(LATER)],
    "pending": [slot_of(LATER)],
    "retired": [(slot_of(LATER),)],
    "intent": [Intent("tunedModels/x", "f" * 64, 2, "n" * 16, "r" * 40)],
    "runs": [(), (run_of(spec()), run_of(LATER, RunOutcome.CANCELLED)), (run_of(LATER), run_of(spec()))],
    "former_names": [("before",), ("numbers",)],
    "conditions": [(), serving("tunedModels/other")],
    "stored": [(Stored("displayName", "a", "b"),)],
    "reviews": [
        (
            Review(
                verdict=Decision.GRANTED,
                origin=Origin.COMMIT,
                basis=Basis(action="update", reason="FieldsChanged", asked="a" * 32, digest="b" * 32),
            ),
        )
    ],
    "commands": [(7,)],
    "awaited": [Awaited("f" * 64, 2, NOW)],
    "sampling": [Sampling(0.5, 0.9, 40), Sampling(top_k=3)],
    "losses": [(LossPoint(1, 0, 2.0),)],
    "advice": [Advice(2, "so")],
    "score": [Score("exactMatch", "d" * 64, 1, 2)],
    "base": [FromSpec("other", "f" * 64, 1), BaseModel("models/other")],
    "description": [None, "words", " words", "words\r\nmore", "a\nb", "gitune: no mark", "x\x0b"],
    "display_name": [None, "", "Numbers"],
    "diverged_at": [3],
    "cost": [1.5],
    "max_duration": [1.0],
    "labels": [MappingProxyType({"team": "demo"})],
    "evaluation": [],
    "dataset": [replace(spec().dataset, prefix="say: "), replace(spec().dataset, digest="e" * 64)],
    "progress": [],
    "start": [],
    "place": [],
    "name": [],  # a record stands under its name
}


def others(name: str, value: object) -> list[Any]:
    """Other values for a field."""
    match value:
        case str() if name == "base":
            return ["models/other"]
        case _ if name in OTHERS:
            return [other for other in OTHERS[name] if other != value]
        case Enum():
            return [other for other in type(value) if other is not value]
        case bool():
            return [not value]
        case int() | float():
            return [value + 1, value * (1 + 1e-9)]
        case str():
            return [f"{value}x", ""]
        case None:
            return [5]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return list(variants(value))
        case _:
            return []


def variants(whole: Any) -> Iterator[Any]:
    """A value with one field changed, as often as there are other values for one."""
    for field in fields(whole):
        # A pass knows the facts of every provider that a spec names.
        if not field.init or (field.name, type(whole)) == ("provider", DesiredModel):
            continue
        for other in others(field.name, getattr(whole, field.name)):
            if other is not None or "None" in str(field.type):
                yield replace(whole, **{field.name: other})
    if isinstance(whole, RemoteModel):
        line = whole.description.splitlines()[-1]
        for text in (*OTHERS["description"][1:], line):
            yield from (replace(whole, description=said) for said in (f"{text}\n{line}", f"{line}\n{text}"))


def quiet(**said: Any) -> tuple[DesiredModel, Record, RemoteModel]:
    """A spec, its record and its model where a pass finds nothing to do and nothing to write."""
    model = spec(**said)
    remote = remote_of(model)
    record = record_of(
        model,
        conditions=serving(remote.name),
        display_name=model.display_name or "",
        description=model.description or "",
        sampling=model.sampling,
        asked=asked_for(model),
    )
    return model, record, remote


BASES: list[dict[str, Any]] = [
    {},
    {"display_name": "Numbers", "description": "Says\nthe next", "sampling": Sampling(0.7, 0.95, 40)},
    {"display_name": "Numbers", "description": "Says the next"},
]


def changes(model: DesiredModel, record: Record, remote: RemoteModel) -> list[World]:
    """The world of these three, and every one with a single difference."""
    found = [world_of(model, records=(record,), remotes=(remote,))]
    found += [world_of(other, records=(record,), remotes=(remote,)) for other in variants(model)]
    records = [*variants(record), *(replace(record, active=slot) for slot in variants(record.active))]
    records += [replace(record, runs=(run,)) for run in variants(record.runs[0])]
    found += [world_of(model, records=(other,), remotes=(remote,)) for other in records]
    found += [world_of(model, records=(record,), remotes=(other,)) for other in (*variants(remote),)]
    world = found[0]
    (intent,) = OTHERS["intent"]
    sent = replace(record, intent=intent)
    gone = {"models/tiny": BaseModelFacts("models/tiny", exists=False, tunable=False)}
    return [
        *found,
        world_of(model, records=(record,), remotes=()),
        world_of(model, records=(record,), remotes=(), complete=False),
        world_of(model, records=(record,), remotes=(remote,), base_models=MappingProxyType({})),
        world_of(model, records=(record,), remotes=(remote,), base_models=MappingProxyType(gone)),
        world_of(model, records=(sent,), remotes=(remote,), recent_intents=frozenset({intent})),
        world_of(model, records=(sent,), remotes=(remote,), complete=False),
        replace(world, instance="another/one"),
        replace(world, history=RevisionHistory(behind=True)),
        replace(world, history=RevisionHistory(forgiven=frozenset({record.attempted}))),
        replace(world, desired=Desired("c" * 40, (model,), doubtful=MappingProxyType({model.name: "old"}))),
        replace(world, desired=replace(world.desired, complete=False)),
        replace(world, overdue=frozenset({remote.name}), due=frozenset({remote.name})),
    ]


def by_the_table(world: World) -> Any:
    """What every row together comes to."""
    return given_by(explain(world.desired.models[0].name, world))


def in_full(world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Record], dict[str, Record]]:
    """The records after a pass, with the short way and without it."""
    outcomes = [Done(action, world.observed.model("local", action.model)) for action in make_plan(world).actions]
    short = next_records(world, outcomes, NOW)
    with monkeypatch.context() as patch:
        patch.setattr(controller.plan.record, "stays", lambda *_: False)
        return short, next_records(world, outcomes, NOW)


@pytest.mark.parametrize("said", BASES)
def test_the_short_way_decides_as_the_table_does(said: dict[str, Any]) -> None:
    worlds = changes(*quiet(**said))

    for world in worlds:
        model = world.desired.models[0]
        plain = agreement(model, world)
        assert plain is None or (plain,) == by_the_table(world)
        assert decide(model, world) == by_the_table(world)
    plainly = [world for world in worlds if agreement(world.desired.models[0], world) is not None]
    assert worlds[0] in plainly
    in_order = [w for w in worlds if [type(a) for a in by_the_table(w)] == [Nothing]]
    assert len(plainly) > len(in_order) * 0.6, "the short way is hardly ever taken"


@pytest.mark.parametrize("said", BASES)
def test_the_short_way_records_what_the_long_one_would(said: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    worlds = changes(*quiet(**said))

    for world in worlds:
        short, full = in_full(world, monkeypatch)
        assert short == full
    first = worlds[0]
    assert stays(first.recorded.records["numbers"], first.desired.models[0], first)
    assert next_records(first, [], NOW)["numbers"] is first.recorded.records["numbers"]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_so_it_is_where_several_things_differ(data: st.DataObject) -> None:
    said = data.draw(st.sampled_from(BASES))
    model, record, remote = quiet(**said)
    for _ in range(data.draw(st.integers(1, 3))):
        match data.draw(st.sampled_from(["model", "record", "remote"])):
            case "model":
                model = data.draw(st.sampled_from(list(variants(model))))
            case "record":
                record = data.draw(st.sampled_from(list(variants(record))))
            case _:
                remote = data.draw(st.sampled_from(list(variants(remote))))
    world = world_of(model, records=(record,), remotes=(remote,))

    plain = agreement(model, world)
    assert plain is None or (plain,) == by_the_table(world)
    with pytest.MonkeyPatch.context() as patch:
        short, full = in_full(world, patch)
    assert short == full

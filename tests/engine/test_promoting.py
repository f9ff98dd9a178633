"""A person's word lets a run serve below its bar; a spec that went back to such a run needs that word again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.engine import commands
from controller.engine.commands import Serving
from controller.engine.reconcile import Approval, Refused, reconcile
from controller.errors import ControllerError
from controller.settings import ProviderSettings
from controller.state.observed import RemoteState
from controller.testing import MemoryProvider
from tests.engine.stage import Stage, rows, spec_text

DAY = 86_400
JUDGED = "{dataset: {path: held.jsonl}, metric: exactMatch, minScore: 0.5}"
OTHER = {"specs/other.yaml": spec_text("other")}


def text(epochs: int | None = None, prefix: str = "", name: str = "numbers", **lines: str) -> str:
    """A spec that no run of ours is good enough for."""
    if epochs is not None:
        lines["hyperparameters"] = f"{{epochCount: {epochs}}}"
    written = spec_text(name, evaluation=JUDGED, **lines)
    return written.replace("{path: rows.jsonl}", f"{{path: rows.jsonl, prefix: '{prefix}'}}") if prefix else written


def edited(stage: Stage, written: str) -> None:
    stage.source.edit({"specs/numbers.yaml": written, "specs/held.jsonl": rows(4, start=100)})


async def finished(stage: Stage, written: str) -> None:
    """A run of these inputs has ended well and waits below the bar."""
    edited(stage, written)
    for _ in range(2):
        await stage.step()
        stage.provider.finish()
    await stage.step()


async def promote(stage: Stage) -> Serving:
    return await commands.promote(stage.ports, stage.settings, "numbers")


async def let_in(stage: Stage, written: str) -> str:
    await finished(stage, written)
    return (await promote(stage)).model


async def test_a_run_let_in_is_let_in_again_after_a_revert() -> None:
    stage = Stage()
    first, second = await let_in(stage, text()), await let_in(stage, text(3))
    edited(stage, text())
    assert await stage.step() == [("numbers", "hold")]
    assert (await promote(stage)).model == first
    record = stage.ledger.records["numbers"]
    assert [slot.model for slot in record.retired] == [second]
    assert await stage.step() == [("numbers", "none")]
    assert stage.provider.paid.total() == 2
    with pytest.raises(ControllerError, match="no pending run: what its spec asks for serves"):
        await promote(stage)


async def test_a_run_let_in_is_let_in_again_when_its_spec_comes_back() -> None:
    stage = Stage()
    first = await let_in(stage, text())
    stage.source.edit({"specs/numbers.yaml": None, **OTHER})
    for _ in range(3):
        await stage.step()
    assert stage.ledger.records["numbers"].orphaned
    with pytest.raises(ControllerError, match="no pending run"):
        await promote(stage)
    edited(stage, text())
    for _ in range(2):
        await stage.step()
    assert (await promote(stage)).model == first
    record = stage.ledger.records["numbers"]
    assert not record.orphaned
    assert ("numbers", "none") in await stage.step()


@pytest.mark.parametrize("end", [RemoteState.FAILED, RemoteState.CANCELLED, RemoteState.ACTIVE, RemoteState.CREATING])
async def test_a_pending_run_of_other_inputs_does_not_stand_in_the_way(end: RemoteState) -> None:
    stage = Stage()
    first, _ = await let_in(stage, text()), await let_in(stage, text(3))
    edited(stage, text(7))
    await stage.step()
    pending = stage.ledger.records["numbers"].pending
    assert pending is not None
    if end is not RemoteState.CREATING:
        stage.provider.end(pending.model, end)
    edited(stage, text())
    stops = [("numbers", "cancel")] if end is RemoteState.CREATING else []
    assert await stage.step() == [*stops, ("numbers", "hold")]
    assert await stage.step() == [("numbers", "hold")]
    assert (await promote(stage)).model == first
    assert [await stage.step() for _ in range(2)] == [[("numbers", "none")]] * 2
    assert stage.ledger.records["numbers"].pending is None
    assert stage.provider.models[pending.model].state is not RemoteState.CREATING
    retired = {slot.model for slot in stage.ledger.records["numbers"].retired}
    assert (pending.model in retired) is (end is RemoteState.ACTIVE)


@pytest.mark.parametrize("is_kept", [True, False])
async def test_a_run_that_fits_by_effect_brings_the_prefix_that_its_spec_has(*, is_kept: bool) -> None:
    stage = Stage()
    await finished(stage, text(prefix="Next: "))
    if is_kept:
        await promote(stage)
        await let_in(stage, text(prefix="Other: "))
    edited(stage, text(5, prefix="Next: "))
    assert await stage.step() == [("numbers", "hold")]
    assert (await promote(stage)).prefix == "Next: "
    assert (await commands.resolve(stage.ports, "numbers")).prefix == "Next: "
    assert await stage.step() == [("numbers", "none")]


async def test_a_kept_run_on_another_provider_than_the_spec_names_is_not_let_in() -> None:
    stage = Stage()
    await let_in(stage, text())
    second = await let_in(stage, text(3))
    elsewhere = {"local": stage.provider, "elsewhere": MemoryProvider("elsewhere")}
    ports = replace(stage.ports, providers=elsewhere)
    local = ProviderSettings("local", "local")
    settings = replace(stage.settings, providers={"local": local, "elsewhere": replace(local, key="elsewhere")})
    edited(stage, text(provider="elsewhere"))
    ports = replace(ports, source=stage.source)
    await reconcile(ports, settings, Approval())
    with pytest.raises(ControllerError, match="no pending run"):
        await commands.promote(ports, settings, "numbers")
    active = stage.ledger.records["numbers"].active
    assert active is not None
    assert active.model == second


@pytest.mark.parametrize("is_pending", [True, False])
async def test_a_kept_run_that_is_gone_is_not_let_in_and_hides_no_other(*, is_pending: bool) -> None:
    stage = Stage()
    first, _ = await let_in(stage, text()), await let_in(stage, text(3))
    if is_pending:
        await finished(stage, text(7))
    pending = stage.ledger.records["numbers"].pending
    del stage.provider.models[first]
    edited(stage, text())
    assert await stage.step() == [("numbers", "hold")]
    if pending is None:
        with pytest.raises(ControllerError, match="no pending run"):
            await promote(stage)
    else:
        assert (await promote(stage)).model == pending.model


async def test_a_pending_run_promoted_from_a_commit_that_nobody_has_pushed_leaves_others_their_way() -> None:
    stage = Stage()
    await finished(stage, text())
    before = stage.ledger.records["numbers"].attempted
    stage.source.edit({"README.md": "not pushed"})
    await promote(stage)
    assert stage.ledger.records["numbers"].attempted == before


def child(epochs: int | None = None, **lines: str) -> str:
    return text(epochs, name="child", **lines).replace("baseModel: models/tiny", "baseModel: {from: numbers}")


async def on_a_base() -> Stage:
    """A run of numbers serves."""
    stage = Stage()
    stage.source.edit({"specs/held.jsonl": rows(4, start=100)})
    for _ in range(3):
        await stage.step()
        stage.provider.finish()
    return stage


async def test_a_kept_run_on_a_base_whose_default_was_written_out_is_let_in_again() -> None:
    stage = await on_a_base()
    served = []
    for written in (child(), child(3)):
        stage.source.edit({"specs/child.yaml": written})
        for _ in range(3):
            await stage.step()
            stage.provider.finish()
        served.append((await commands.promote(stage.ports, stage.settings, "child")).model)
    written_out = spec_text(hyperparameters="{epochCount: 5}")
    stage.source.edit({"specs/numbers.yaml": written_out, "specs/child.yaml": child()})
    assert ("child", "hold") in await stage.step()
    assert (await commands.promote(stage.ports, stage.settings, "child")).model == served[0]


async def test_a_model_adopted_on_a_base_whose_default_was_written_out_is_not_paid_for_again() -> None:
    stage = await on_a_base()
    (base,) = stage.provider.models.values()
    theirs = replace(base, name="tunedModels/theirs", description="a colleague's", base_model=base.name)
    stage.provider.models[theirs.name] = theirs
    bare = spec_text("child").replace("baseModel: models/tiny", "baseModel: {from: numbers}")
    written_out = spec_text(hyperparameters="{epochCount: 5}")
    stage.source.edit({"specs/numbers.yaml": written_out, "specs/child.yaml": bare})
    await commands.adopt(stage.ports, stage.settings, "child", theirs.name)
    for _ in range(2):
        assert await stage.step() == [("child", "none"), ("numbers", "none")]
    assert stage.provider.paid.total() == 1


async def test_who_still_sees_the_spec_as_it_was_before_a_person_let_a_kept_run_in_is_behind() -> None:
    stage = Stage()
    first = await let_in(stage, text())
    edited(stage, text(3).replace("minScore: 0.5", "minScore: 0.0"))
    for _ in range(3):
        await stage.step()
        stage.provider.finish()
    older = stage.source.head
    assert older is not None
    edited(stage, text())
    await stage.step()
    await promote(stage)
    stage.source.reset(older)
    with pytest.raises(Refused, match="is older than a commit that was acted on"):
        await stage.step()
    active = stage.ledger.records["numbers"].active
    assert active is not None
    assert active.model == first


@pytest.mark.parametrize("spec", [text(deletionPolicy="Delete"), "kind: TunedModel\nmetadata: {name: numbers}\n"])
async def test_who_still_sees_a_spec_removed_that_came_back_deletes_nothing(spec: str) -> None:
    """Its model serves as before, or the file that came back is broken: nothing is asked of the provider."""
    stage = Stage()
    first = await let_in(stage, text(deletionPolicy="Delete"))
    stage.source.edit({"specs/numbers.yaml": None, **OTHER})
    removed = stage.source.head
    assert removed is not None
    for _ in range(2):
        await stage.step()
    stage.provider.finish()
    await stage.step()
    edited(stage, spec)
    words = await stage.step()
    assert ("numbers", "none") in words or ("numbers", "hold") in words
    stage.source.reset(removed)
    for _ in range(3):
        try:
            await stage.step()
        except Refused as refused:
            assert "is older than a commit that was acted on" in str(refused)  # noqa: PT017 - at some pass, not at each
        stage.clock.advance(DAY + 1)
    assert first in stage.provider.models


async def test_an_older_commit_that_keeps_models_does_not_count_as_the_last_that_was_acted_on() -> None:
    stage = Stage()
    stage.source.edit({"specs/numbers.yaml": spec_text(deletionPolicy="Orphan")})
    for _ in range(3):
        await stage.step()
        stage.provider.finish()
    older = stage.source.head
    assert older is not None
    longer = "{epochCount: 7}"
    stage.source.edit({"specs/numbers.yaml": spec_text(hyperparameters=longer)})
    await stage.step()
    stage.provider.finish()
    stage.source.edit({"specs/numbers.yaml": spec_text(deletionPolicy="Delete", description="a word")})
    newer = stage.source.head
    for _ in range(3):
        await stage.step()
    attempted = stage.ledger.records["numbers"].attempted
    assert attempted == newer
    stage.source.reset(older)
    await stage.step(Approval(allow=frozenset()))
    assert stage.ledger.records["numbers"].attempted == newer

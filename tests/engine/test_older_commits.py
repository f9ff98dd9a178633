"""A mirror that lags shows an older commit: what costs nothing may be done on it, and it never counts as the newest."""

from __future__ import annotations

from contextlib import suppress

from controller.engine.reconcile import Refused
from controller.state.desired import DeletionPolicy
from tests.engine.stage import Stage, rows, spec_text

DAY = 86_400


def files(policy: str, epochs: int) -> dict[str, str | None]:
    said = spec_text(deletionPolicy=policy, hyperparameters=f"{{epochCount: {epochs}}}", runHistoryLimit="0")
    return {"specs/numbers.yaml": said, "specs/rows.jsonl": rows()}


def named(name: str, policy: str, former: str = "") -> str:
    text = spec_text(name, deletionPolicy=policy)
    return text.replace(f"{{name: {name}}}", f"{{name: {name}, formerNames: [{former}]}}") if former else text


async def test_a_promote_on_an_older_commit_does_not_let_that_one_act_afterwards() -> None:
    stage = Stage()
    stage.source.edit(files("Delete", 5))
    await stage.step()
    stage.provider.finish()
    await stage.step()
    (served,) = stage.provider.models
    older = stage.source.edit(files("Delete", 6))
    await stage.step()
    newer = stage.source.edit(files("Orphan", 6))
    await stage.step()
    stage.source.reset(older)
    stage.provider.finish()
    for _ in range(5):
        with suppress(Refused):
            await stage.step()
        stage.clock.advance(2 * DAY)
    record = stage.ledger.records["numbers"]
    assert record.active is not None
    assert record.active.model != served, "the run that the older commit asked for, too, serves"
    assert served in stage.provider.models
    assert (record.deletion_policy, record.attempted) == (DeletionPolicy.ORPHAN, newer)


async def test_a_rename_that_an_older_commit_undoes_is_left_to_the_newer_one() -> None:
    stage = Stage()
    other = spec_text("other")
    older = stage.source.edit({"specs/numbers.yaml": named("numbers", "Delete"), "specs/other.yaml": other})
    await stage.step()
    newer = stage.source.edit({"specs/numbers.yaml": None, "specs/sums.yaml": named("sums", "Orphan", "numbers")})
    await stage.step()
    stage.source.reset(older)
    for _ in range(3):
        with suppress(Refused):
            await stage.step()
    record = stage.ledger.records["sums"]
    assert (record.deletion_policy, record.attempted) == (DeletionPolicy.ORPHAN, newer)
    stage.source.reset(newer)
    stage.provider.finish()
    assert ("sums", "promote") in await stage.step()

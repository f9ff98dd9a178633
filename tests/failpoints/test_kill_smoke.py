"""One real kill -9 for each kind of effect; `python -m tests.failpoints` does all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.stand import Server
from tests.failpoints.__main__ import one
from tests.failpoints.story import STORIES, Story

pytestmark = pytest.mark.slow

KILLS = {
    "create": "effect.after:1:kill",
    "promote": "ledger.update:1:kill",
    "retune": "intent.saved:1:kill",
    "cancel": "effect.after:1:kill",
    "delete": "effect.after:1:kill",
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    served = Server(tmp_path / "served")
    served.start()
    try:
        yield served
    finally:
        served.stop()


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_killed_pass_is_taken_up_again_without_a_second_payment(story: Story, tmp_path: Path, server: Server) -> None:
    verdict = one(story, KILLS[story.name], tmp_path, server)
    assert verdict.killed
    assert verdict.complaints == []

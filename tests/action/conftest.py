"""A bare repository with a clone, the embedded server behind a proxy that counts, and a code host that judges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.action.workflow import Workflow, bare_and_clone
from tests.e2e.stand import Proxy, Repository, Server, rows, settings, spec
from tests.forge.stand_in import StandIn


@dataclass
class House:
    """All that a team has."""

    bare: Path
    clone: Repository
    forge: StandIn
    proxy: Proxy
    workflow: Workflow

    def branch(self, name: str, start: str = "main") -> None:
        self.clone.git("checkout", "-q", "-B", name, start)

    def commit(self) -> str:
        """Everything as it is, on the current branch, pushed."""
        made = self.clone.commit()
        self.clone.git("push", "-q", "-f", "origin", "HEAD")
        return made

    def merge(self, number: int) -> str:
        """Merge the pull request as the code host's button does; the merge commit."""
        head = str(self.forge.pulls[number]["head"]["sha"])
        self.clone.git("checkout", "-q", "main")
        self.clone.git("merge", "-q", "--no-ff", "-m", f"Merge {number}", head)
        self.clone.git("push", "-q", "origin", "main")
        made = self.clone.git("rev-parse", "HEAD")
        self.forge.merge(number, made)
        return made

    @property
    def creates(self) -> int:
        """How many tunings were asked for."""
        return len([path for method, path in self.proxy.changes if method == "POST" and "tunedModelId" in path])


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    server = Server(tmp_path / "served")
    server.start()
    try:
        with Proxy(server.url).running() as proxy, StandIn().running() as forge:
            bare, clone = bare_and_clone(tmp_path)
            clone.write("gitune.yaml", settings(proxy.url))
            clone.write("specs/numbers.yaml", spec())
            clone.write("specs/rows.jsonl", rows())
            clone.commit()
            clone.git("push", "-q", "origin", "main")
            made = House(bare, clone, forge, proxy, Workflow(clone, forge, tmp_path / "steps"))
            yield made
            assert forge.refused == []
    finally:
        server.stop()

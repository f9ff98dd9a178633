"""A repository, a service that trains nothing, and the daemon between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.daemon.process import Running, running
from tests.daemon.service import Service
from tests.e2e.stand import Repository, rows, settings, spec


@dataclass
class Yard:
    repository: Repository
    service: Service
    home: Path

    def daemon(self, *words: str, **environ: str) -> AbstractContextManager[Running]:
        """One that follows the repository's HEAD, or what the words say."""
        asked = words if "--repo" in words else ("--root", str(self.repository.root), *words)
        return running(*asked, home=self.home, **environ)

    def commit(self, name: str = "numbers", epochs: int = 2) -> None:
        self.repository.write(f"specs/{name}.yaml", spec(name, epochs))
        self.repository.commit()


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    repository = Repository(tmp_path / "repository")
    repository.root.mkdir()
    repository.git("init", "-q", "-b", "main")
    with Service().running() as service:
        repository.write("gitune.yaml", settings(service.url))
        repository.write("specs/rows.jsonl", rows())
        made = Yard(repository, service, tmp_path / "home")
        made.commit()
        yield made

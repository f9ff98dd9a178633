"""A stand of a repository, a server and a recording proxy for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.stand import Proxy, Repository, Server, rows, settings, spec


@dataclass
class Stand:
    repository: Repository
    server: Server
    proxy: Proxy


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    server = Server(tmp_path / "served")
    server.start()
    repository = Repository(tmp_path / "repository")
    repository.root.mkdir()
    try:
        with Proxy(server.url).running() as proxy:
            repository.git("init", "-q", "-b", "main")
            repository.write("gitune.yaml", settings(proxy.url))
            repository.write("specs/numbers.yaml", spec())
            repository.write("specs/rows.jsonl", rows())
            repository.commit()
            yield Stand(repository, server, proxy)
    finally:
        server.stop()

"""A repository with many specs to the share of a core that a daemon takes while nothing happens.

``python benches/daemon_idle.py [SPECS] [SECONDS]``. Prepared, and not measured: the repository is committed with real
git, and every model is created and promoted by the engine's own passes through the real ports (HTTP, git), as
``gitune apply`` makes them; what is left out is the daemon's look at its lease before each of thousands of creates.
Measured is a real ``gitune run`` at its default interval (60 s) and resync (an hour): processor seconds of its process
and of the git processes it started, over SECONDS in which nothing moves, and those of a whole pass, told apart. The
share of an hour is the idle seconds' share, and one whole pass on top.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from controller.engine.desire import Readings
from controller.engine.reconcile import Approval, reconcile
from controller.testing import SilentReporter
from controller.wiring import Where, open_ports
from tests.daemon.process import Running, running
from tests.daemon.service import Service
from tests.e2e.stand import Repository, rows, settings, spec

SPECS = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 480.0
RESYNC = 3600.0


def written(root: Path, url: str) -> Repository:
    """The repository, committed."""
    repository = Repository(root)
    repository.root.mkdir()
    repository.git("init", "-q", "-b", "main")
    repository.git("config", "gc.auto", "0")  # a commit of thousands of files would start one that outlives us
    repository.write("gitune.yaml", settings(url) + f"policy: {{maxCreates: {SPECS}}}\n")
    repository.write("specs/rows.jsonl", rows())
    for number in range(SPECS):
        path = f"specs/{number // 100}/m{number}.yaml"
        repository.write(path, spec(f"m{number}").replace("rows.jsonl", "../rows.jsonl"))
    repository.commit()
    return repository


async def settled(root: Path, home: Path) -> None:
    """Passes until none has anything to do."""
    environ = {**os.environ, "GITUNE_HOME": str(home)}
    async with open_ports(Where(root), SilentReporter(), environ) as opened:
        ports = replace(opened.ports, reading=Readings().read)
        for _ in range(6):
            began = time.perf_counter()
            done = await reconcile(ports, opened.settings, Approval())
            words = sorted({action.word for action in done.plan.actions})
            print(f"prepared: {' '.join(words)}: {time.perf_counter() - began:.0f} s", flush=True)
            if words == ["none"] and await ports.ledger.tip() == done.world.recorded.tip:
                return
    raise SystemExit("it did not settle")


def rested(daemon: Running) -> bool:
    """Whether its last pass left nothing to do before the interval is over."""
    return bool(daemon.said("pass.ended")) and daemon.said("pass.ended")[-1]["next"] > 40


def main() -> None:
    """Until all is settled, then the measurement."""
    with tempfile.TemporaryDirectory() as scratch, Service().running() as service:
        home = Path(scratch) / "home"
        repository = written(Path(scratch) / "repository", service.url)
        asyncio.run(settled(repository.root, home))
        began = time.monotonic()
        with running("--root", str(repository.root), home=home) as daemon:
            daemon.wait(lambda: rested(daemon), 1800)
            print(f"{SPECS} specs: at rest {time.monotonic() - began:.0f} s after its start", flush=True)
            time.sleep(65.0)  # the pass that finds that nothing was written, too
            changes, seen = len(service.changes), len(service.requests)
            cpu = daemon.cpu_of_all
            time.sleep(SECONDS)
            idle = daemon.cpu_of_all - cpu
            asked, changed = len(service.requests) - seen, len(service.changes) - changes
            print(f"idle: {idle:.2f} s of a core in {SECONDS:.0f} s, {idle / SECONDS:.2%}", flush=True)
            print(f"idle: {asked} requests, {changed} of them changes", flush=True)
            cpu, passes = daemon.cpu_of_all, daemon.passes("changed")
            repository.write("README.md", "No spec is touched.\n")
            repository.commit()
            daemon.wait(lambda: daemon.passes("changed") > passes and rested(daemon), 300)
            time.sleep(5.0)
            passes, whole = daemon.passes("changed") - passes, daemon.cpu_of_all - cpu
            print(f"a commit that touches no spec: {passes} whole passes, {whole:.2f} s of a core", flush=True)
            print(f"an hour of rest with one resync: {idle / SECONDS + whole / RESYNC:.2%} of a core", flush=True)
            print(f"changes sent: {len(service.changes) - changes}, memory: {daemon.kilobytes // 1024} MiB", flush=True)


if __name__ == "__main__":
    main()

"""A repository with many specs and a commit that touches one of them, to the seconds until its plan is ready.

``python benches/changed_commit.py [SPECS]``. Real git, a real ledger on its branch; the provider is the one in memory,
since its answer is no part of what is measured. Prepared through their own doors: every spec has a record in the ledger
and a model at the provider, as after a pass that created it. Measured for each of three commits in a row: the pass as a
daemon makes it, which keeps what it has read (``kept``), and as a command makes it that begins with nothing (``anew``).
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from controller.engine.desire import Readings
from controller.engine.reconcile import Approval, preview, reconcile
from controller.ledger.opening import open_ledger
from controller.ports import Ports
from controller.settings import LedgerSettings, Policy, ProviderSettings, Settings
from controller.source.repo import CommitSource
from controller.system import SystemChance, SystemClock
from controller.testing import MemoryProvider, SilentReporter
from tests.e2e.stand import Repository, rows, spec

SPECS = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
COMMITS = 3


def written(root: Path) -> Repository:
    """The repository, with its first commit."""
    repository = Repository(root)
    repository.root.mkdir()
    repository.git("init", "-q", "-b", "main")
    repository.git("config", "gc.auto", "0")  # a commit of thousands of files would start one that outlives us
    repository.write("specs/rows.jsonl", rows())
    for number in range(SPECS):
        repository.write(
            f"specs/{number // 100}/m{number}.yaml", spec(f"m{number}").replace("rows.jsonl", "../rows.jsonl")
        )
    repository.commit()
    return repository


async def planned(ports: Ports, settings: Settings) -> float:
    """Seconds until the plan for what is committed now is ready. It is to hold one change."""
    began = time.perf_counter()
    shown = await preview(ports, settings)
    seconds = time.perf_counter() - began
    if sum(action.word == "retune" for action in shown.plan.actions) != 1:
        raise SystemExit(f"one spec was touched, and the plan is {[a.word for a in shown.plan.actions][:20]}")
    return seconds


async def main() -> None:
    """Settle, then commit by commit."""
    with tempfile.TemporaryDirectory() as scratch:
        repository, home = written(Path(scratch) / "repository"), Path(scratch) / "home"
        clock = SystemClock()
        provider = MemoryProvider("local")
        ledger = open_ledger(LedgerSettings(), repository.root, home, clock.now)
        source = CommitSource(repository.root, home)
        ports = Ports(source, {"local": provider}, ledger, clock, SystemChance(), SilentReporter(), "bench")
        settings = Settings(providers={"local": ProviderSettings("local", "local")}, policy=Policy(max_creates=SPECS))
        daemon = replace(ports, reading=Readings().read)
        for _ in range(4):
            began = time.perf_counter()
            done = await reconcile(daemon, settings, Approval())
            words = sorted({action.word for action in done.plan.actions})
            print(f"a pass: {' '.join(words)}: {time.perf_counter() - began:.1f} s", flush=True)
            provider.finish()
        kept, anew = [], []
        for number in range(COMMITS):
            path = f"specs/{number}/m{number * 100}.yaml"
            repository.write(path, spec(f"m{number * 100}", epochs=7 + number).replace("rows.jsonl", "../rows.jsonl"))
            repository.commit()
            kept.append(await planned(daemon, settings))
            fresh = open_ledger(LedgerSettings(), repository.root, home, clock.now)
            anew.append(await planned(replace(ports, ledger=fresh), settings))
            await reconcile(daemon, settings, Approval())
            provider.finish()
            await reconcile(daemon, settings, Approval())
        await source.close()
        one, other = statistics.median(kept), statistics.median(anew)
        print(f"{SPECS} specs, one touched: plan ready after {one:.2f} s, anew {other:.2f} s: {other / one:.1f} times")


if __name__ == "__main__":
    asyncio.run(main())

"""A repository with many specs to the share of a core that a daemon takes while nothing happens."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.daemon.process import running
from tests.daemon.service import Service
from tests.e2e.stand import Repository, rows, settings, spec

SPECS = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 180.0


def main() -> None:
    """Until all is settled, then the measurement."""
    with tempfile.TemporaryDirectory() as scratch, Service().running() as service:
        repository = Repository(Path(scratch) / "repository")
        repository.root.mkdir()
        repository.git("init", "-q", "-b", "main")
        repository.write("gitune.yaml", settings(service.url) + f"policy: {{maxCreates: {SPECS}}}\n")
        repository.write("specs/rows.jsonl", rows())
        for number in range(SPECS):
            text = spec(f"m{number}").replace("rows.jsonl", "../rows.jsonl")
            repository.write(f"specs/{number // 100}/m{number}.yaml", text)
        repository.commit()
        began = time.monotonic()
        with running("--root", str(repository.root), home=Path(scratch) / "home") as daemon:
            daemon.wait(lambda: len(service.created) == SPECS, 1800)
            print(f"{SPECS} specs: all created after {time.monotonic() - began:.0f} s", flush=True)
            daemon.wait(lambda: daemon.said("pass.ended") and daemon.said("pass.ended")[-1]["next"] > 40, 1800)
            time.sleep(65.0)  # the pass that finds that nothing was written, too
            cpu, changes, seen = daemon.cpu_seconds, len(service.changes), len(service.requests)
            time.sleep(SECONDS)
            share = (daemon.cpu_seconds - cpu) / SECONDS
            asked, changed = len(service.requests) - seen, len(service.changes) - changes
            print(f"idle: {share:.2%} of a core over {SECONDS:.0f} s, {asked} requests, {changed} of them changes")
            print(f"memory: {daemon.kilobytes // 1024} MiB", flush=True)


if __name__ == "__main__":
    main()

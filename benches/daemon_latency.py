"""A followed repository to the time from a commit (or a write, or a push) to the first request at the provider."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.daemon.process import Running, running
from tests.daemon.service import Service
from tests.e2e.stand import Repository, rows, settings, spec

SAMPLES = int(sys.argv[1]) if len(sys.argv) > 1 else 20


def measured(service: Service, daemon: Running, act: Callable[[int], object]) -> list[float]:
    """Milliseconds from the moment the act is over to the first request; none where that came before its end."""
    took = []
    for number in range(SAMPLES):
        time.sleep(1.5)
        daemon.wait(lambda: daemon.said("pass.ended") and daemon.said("pass.ended")[-1]["next"] > 2.0)
        seen = len(service.requests)
        act(number)
        moment = time.monotonic()
        while len(service.requests) == seen:
            time.sleep(0.005)
        took.append(max(0.0, service.requests[seen][0] - moment) * 1000)
    return took


def shown(what: str, took: list[float]) -> None:
    """The median, the ninth tenth and the worst."""
    took.sort()
    tenth = took[int(len(took) * 0.9)]
    middle, worst = statistics.median(took), took[-1]
    print(f"{what}: median {middle:.0f} ms, 90 % {tenth:.0f} ms, worst {worst:.0f} ms ({len(took)})", flush=True)


def main() -> None:
    """Three ways to follow, one after the other."""
    with tempfile.TemporaryDirectory() as scratch, Service().running() as service:
        repository = Repository(Path(scratch) / "repository")
        repository.root.mkdir()
        repository.git("init", "-q", "-b", "main")
        repository.write("gitune.yaml", settings(service.url))
        repository.write("specs/rows.jsonl", rows())
        repository.write("specs/numbers.yaml", spec())
        repository.commit()
        bare = Path(scratch) / "there.git"
        repository.git("init", "-q", "--bare", "-b", "main", str(bare))

        def edit(number: int, *then: Callable[[], object]) -> None:
            repository.write("specs/numbers.yaml", spec(epochs=2 + number))
            for act in then:
                act()

        root = str(repository.root)
        with running("--root", root, "--interval", "300", home=Path(scratch) / "one") as daemon:
            shown("commit", measured(service, daemon, lambda n: edit(n, repository.commit)))
        with running("--root", root, "--worktree", "--interval", "300", home=Path(scratch) / "two") as daemon:
            shown("write with --worktree", measured(service, daemon, edit))
        repository.commit()
        repository.git("push", "-q", str(bare), "main")
        words = ("--repo", str(bare), "--interval", "1")
        with running(*words, home=Path(scratch) / "three") as daemon:
            daemon.wait(lambda: daemon.said("pass.ended"))
            took = []
            for number in range(SAMPLES):
                time.sleep(2.0)
                edit(number + 100, repository.commit)
                before = len(service.changes)
                repository.git("push", "-q", str(bare), "main")
                moment = time.monotonic()
                while len(service.changes) == before:
                    time.sleep(0.005)
                took.append(max(0.0, service.changes[before][0] - moment) * 1000)
            shown("push to a branch polled each second, to the create", took)


if __name__ == "__main__":
    main()

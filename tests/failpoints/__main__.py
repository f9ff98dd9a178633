"""`python -m tests.failpoints`: every point of every story killed once, each in a repository of its own."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from controller.failpoints import POINTS
from tests.e2e.stand import Proxy, Repository, Server
from tests.failpoints.story import STORIES, Place, Story, Verdict, play, prepare

MOST = 40  # no pass of a story meets a point more often


def one(story: Story, failpoint: str, folder: Path, server: Server) -> Verdict:
    """One story with one kill."""
    # The server is shared, and an id holds name and fingerprint: every story has a name of its own.
    name = f"{story.name}-{failpoint.removesuffix(':kill')}".replace(":", "-").replace(".", "-")
    with Proxy(server.url).running() as proxy:
        place = Place(Repository(folder / name), proxy, name)
        prepare(place, server)
        return play(story, place, failpoint)


def sweep(story: Story, folder: Path, server: Server, most: int) -> Iterator[Verdict]:
    """Every point, the first time it is met, the second time…, until a pass was not killed any more."""
    for point in POINTS:
        for nth in range(1, most + 1):
            verdict = one(story, f"{point}:{nth}:kill", folder, server)
            yield verdict
            if not verdict.killed:
                break


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stories", default=",".join(story.name for story in STORIES))
    parser.add_argument("--most", type=int, default=MOST)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args(words)
    chosen = [story for story in STORIES if story.name in given.stories.split(",")]
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "served")
        server.start()
        try:
            with ThreadPoolExecutor(given.jobs) as pool:
                swept = pool.map(lambda s: list(sweep(s, Path(folder), server, given.most)), chosen)
                verdicts = [verdict for each in swept for verdict in each]
        finally:
            server.stop()
    bad = [verdict for verdict in verdicts if verdict.complaints]
    for verdict in bad:
        print(f"{verdict.story} {verdict.failpoint}: {'; '.join(verdict.complaints)}", file=sys.stderr)
    killed = [verdict for verdict in verdicts if verdict.killed]
    figures = {
        "n": len(verdicts),
        "killed": len(killed),
        "violations": len(bad),
        "mostPasses": max(verdict.passes for verdict in verdicts),
        "points": {point: sum(v.failpoint.startswith(f"{point}:") for v in killed) for point in POINTS},
        "seconds": round(time.monotonic() - began, 1),
    }
    print(json.dumps(figures))
    return 1 if bad or not all(figures["points"].values()) else 0  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

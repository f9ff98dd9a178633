"""Status files that all change to what writing and pushing them takes, beside the git command line with the same."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benches.bench import Bench
from benches.case import LEDGER, Case, Repository, settings
from benches.measure import OURS, Comparison, Program, Wrong, in_turns, run
from tests.git.forges import forge

BRANCH = LEDGER.removeprefix("refs/heads/")
KEY = "provider: local\n"  # what is in every status file
# The pass that finds the old key in the records says once that it cannot be read, and goes on under the new one.
SAYS_OLD_KEY = frozenset({0, 1})


def measured(bench: Bench) -> Iterator[Comparison]:
    """A provider that gitune.yaml calls by another key is in every status file, and needs no request.

    What an apply takes to find out is measured too, as the same apply where all is written already. The remote is
    behind git's own HTTP server; the server's part is not counted.
    """
    for size in bench.sizes[1:]:
        case = bench.case(size)
        case.restore()
        there = bench.scratch / f"ledger-{size}.git"
        case.repository.git("clone", "-q", "--bare", str(case.root), str(there))
        Repository(there).git("config", "http.receivepack", "true")
        with forge(bench.scratch) as host:
            case.repository.git("remote", "add", "origin", f"{host.url}/{there.name}")
            yield _compared(bench, _Pushed(case, Repository(there)))
            case.repository.git("remote", "remove", "origin")
        case.restore()


@dataclass
class _Pushed:
    """A case whose ledger is on a remote. Each turn has a key of its own: nothing that it writes was there before."""

    case: Case
    there: Repository
    turns: Iterator[int] = field(default_factory=itertools.count)

    def renamed(self, key: str, tip: str) -> None:
        """The provider has this key in gitune.yaml, the ledger is at this commit."""
        self.case.restore()
        text = settings(self.case.served.url).replace("  local: {", f"  {key}: {{")
        self.case.repository.commit({"gitune.yaml": f"defaultProvider: {key}\n{text}"})
        self.there.git("update-ref", LEDGER, tip)

    def edited(self, clone: Path) -> None:
        """A clone of the ledger, in whose working tree every status file is another."""
        self.there.git("update-ref", LEDGER, self.case.ledger)
        shutil.rmtree(clone, ignore_errors=True)
        url = self.case.repository.git("remote", "get-url", "origin")
        self.case.repository.git("clone", "-q", "--single-branch", "-b", BRANCH, url, str(clone))
        for name, value in {"gc.auto": "0", "user.name": "Bench", "user.email": "bench@example.com"}.items():
            Repository(clone).git("config", name, value)
        key = f"provider: peer{next(self.turns)}\n"
        for path in (clone / "status").iterdir():
            path.write_text(path.read_text().replace(KEY, key))

    def moved(self, old: str, *, wanted: bool) -> Callable[[str], None]:
        """Whether the ledger is no longer at a commit."""

        def check(_said: str) -> None:
            if (self.there.tip(LEDGER) != old) is not wanted:
                raise Wrong(f"the ledger was {'not ' if wanted else ''}written")

        return check


def _compared(bench: Bench, pushed: _Pushed) -> Comparison:
    case, old = pushed.case, pushed.case.ledger
    home = {"GITUNE_HOME": str(case.home.with_name("ledger-home"))}
    first = case.program(
        "apply", before=lambda: pushed.renamed("settled", old), environ=home, codes=SAYS_OLD_KEY, name="first"
    )
    run(first)
    new = pushed.there.tip(LEDGER)
    writes = case.program(
        "apply",
        before=lambda: pushed.renamed(f"other{next(pushed.turns)}", old),
        check=pushed.moved(old, wanted=True),
        environ=home,
        codes=SAYS_OLD_KEY,
    )
    idle = case.program(
        "apply",
        before=lambda: pushed.renamed("settled", new),
        check=pushed.moved(new, wanted=False),
        environ=home,
        name=f"{OURS}, nothing to write",
    )
    clone = case.home.with_name("clone")
    plain = ("sh", "-c", "git add -A && git commit -q -m Status && git push -q origin HEAD")
    peer = Program(
        "git add, commit, push",
        plain,
        clone,
        items=case.size,
        before=lambda: pushed.edited(clone),
        check=pushed.moved(old, wanted=True),
    )
    found = in_turns((writes, idle, peer), min(bench.times, 3))
    written = found[0].cpu - found[1].cpu
    counts = {"writing alone, CPU s": written, "writing alone, to git": written / found[2].cpu}
    return Comparison("ledger", "apply that writes every status file", case.size, found, counts)

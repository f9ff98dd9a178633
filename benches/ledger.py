"""Status files that all change to what writing and pushing them takes, beside the git command line with the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from benches.bench import Bench
from benches.case import LEDGER, MAIN, Case, Repository, settings
from benches.measure import OURS, Comparison, Program, Wrong, in_turns
from tests.git.forges import forge

# The pass that finds the old key in the records says once that it cannot be read, and goes on under the new one.
SAYS_OLD_KEY = frozenset({0, 1})
BRANCH = LEDGER.removeprefix("refs/heads/")


def measured(bench: Bench) -> Iterator[Comparison]:
    """A provider that gitune.yaml calls by another key is in every status file, and needs no request.

    What an apply takes to find out is measured too, as the same apply where all is written already. The remote is
    behind git's own HTTP server; the server's part is not counted.
    """
    for size in bench.sizes[1:]:
        case = bench.case(size)
        case.restore()
        with forge(bench.scratch) as host:
            yield _compared(bench, case, host.url)
        case.repository.git("remote", "remove", "origin")
        case.restore()


def _compared(bench: Bench, case: Case, url: str) -> Comparison:
    there = bench.scratch / f"ledger-{case.size}.git"
    git = case.repository.git
    git("clone", "-q", "--bare", str(case.root), str(there))
    for name in ("http.receivepack", "receive.advertisePushOptions"):
        Repository(there).git("config", name, "true")
    git("remote", "add", "origin", f"{url}/{there.name}")
    renamed = case.repository.commit(
        {"gitune.yaml": "defaultProvider: other\n" + settings(case.served.url).replace("  local: {", "  other: {")}
    )
    git("push", "-q", "origin", f"{renamed}:{MAIN}")
    home = {"GITUNE_HOME": str(case.home.with_name("ledger-home"))}
    writes = case.program(
        "apply",
        before=_rewound(case, there, case.ledger),
        check=_moved(there, case.ledger),
        environ=home,
        codes=SAYS_OLD_KEY,
    )
    in_turns((writes,), 1)
    new = Repository(there).tip(LEDGER)
    idle = case.program(
        "apply",
        before=_rewound(case, there, new),
        check=_stays(there, new),
        environ=home,
        name=f"{OURS}, nothing to write",
    )
    clone = case.home.with_name("clone")
    plain = ("sh", "-c", "git add -A && git commit -q -m Status && git push -q origin HEAD")
    peer = Program("git add, commit, push", plain, clone, items=case.size, before=_edited(case, there, clone, new))
    found = in_turns((writes, idle, peer), min(bench.times, 3))
    written = found[0].cpu - found[1].cpu
    counts = {"writing alone, CPU s": written, "writing alone, to git": written / found[2].cpu}
    return Comparison("ledger", "apply that writes every status file", case.size, found, counts)


def _rewound(case: Case, there: Path, tip: str) -> Callable[[], None]:
    """The ledger of the remote as it was."""

    def before() -> None:
        case.served.set(case.models)
        Repository(there).git("update-ref", LEDGER, tip)

    return before


def _moved(there: Path, old: str) -> Callable[[str], None]:
    def check(_said: str) -> None:
        if Repository(there).tip(LEDGER) == old:
            raise Wrong("no status file was written")

    return check


def _stays(there: Path, tip: str) -> Callable[[str], None]:
    def check(_said: str) -> None:
        if Repository(there).tip(LEDGER) != tip:
            raise Wrong("status files were written")

    return check


def _edited(case: Case, there: Path, clone: Path, new: str) -> Callable[[], None]:
    """A clone of the ledger's branch at its old commit, with the files of the new one in its working tree."""

    def before() -> None:
        rewind = _rewound(case, there, new)
        rewind()
        shutil.rmtree(clone, ignore_errors=True)
        url = case.repository.git("remote", "get-url", "origin")
        case.repository.git("clone", "-q", "-b", BRANCH, url, str(clone))
        copy = Repository(clone)
        for name, value in {"gc.auto": "0", "user.name": "Bench", "user.email": "bench@example.com"}.items():
            copy.git("config", name, value)
        Repository(there).git("update-ref", LEDGER, case.ledger)
        copy.git("reset", "-q", "--soft", case.ledger)
        copy.git("read-tree", case.ledger)  # the index as it was, without what it knows of the files

    return before

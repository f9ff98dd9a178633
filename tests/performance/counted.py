"""A command in a repository to the work that it did: documents, blobs, requests, processes, modules, calls."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benches.case import Case
from benches.measure import Program, environ

HERE = Path(__file__).parent
# A `git` that notes its words, and what a `cat-file --batch` is asked for.
_GIT = """\
#!/bin/sh
echo "$*" >> "{folder}/git"
case " $* " in
  *" cat-file "*) tee -a "{folder}/asked" | "{git}" "$@" ;;
  *) exec "{git}" "$@" ;;
esac
"""
# The question for an object's bytes, as `--batch` and as `--batch-command` take it; its size alone is another one.
_CONTENT = re.compile(r"^(?:contents )?([0-9a-f]{40,64})$", re.MULTILINE)


@dataclass(frozen=True)
class Work:
    """What one run did. ``calls`` of the package's functions by ``file:name``; ``blobs`` as they were asked for."""

    out: str
    documents: int
    requests: dict[str, int]
    processes: tuple[str, ...]
    modules: frozenset[str]
    blobs: tuple[str, ...]
    calls: Counter[str]

    def less(self, other: Work) -> Work:
        """What was done since another moment of the same run."""
        return replace(
            self,
            documents=self.documents - other.documents,
            requests=dict(Counter(self.requests) - Counter(other.requests)),
            processes=self.processes[len(other.processes) :],
            blobs=self.blobs[len(other.blobs) :],
            calls=self.calls - other.calls,
        )


@dataclass(frozen=True)
class Counting:
    """A folder to count in; a new one for each run."""

    folder: Path

    @classmethod
    def made(cls, folder: Path) -> Counting:
        """With the `git` that counts in it."""
        (folder / "bin").mkdir(parents=True)
        shim = folder / "bin" / "git"
        shim.write_text(_GIT.format(folder=folder, git=shutil.which("git")))
        shim.chmod(0o755)
        (folder / "asked").touch()
        return cls(folder)

    def environ(self, program: Program) -> dict[str, str]:
        """What a program is given so that it is counted."""
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        counted = str(self.folder / "counted.json")
        return {**environ(program), "PATH": path, "PYTHONPATH": str(HERE / "counting"), "COUNTED": counted}

    def work(self, case: Case, out: str = "") -> Work:
        """What has been counted so far."""
        told: dict[str, Any] = json.loads((self.folder / "counted.json").read_text())
        return Work(
            out,
            told["documents"],
            case.served.counts()["asked"],
            tuple(told["processes"]),
            frozenset(told["modules"]),
            tuple(_CONTENT.findall((self.folder / "asked").read_text())),
            Counter(told["calls"]),
        )


def work(case: Case, folder: Path, *words: str) -> Work:
    """What `gitune` does in a case, found as it is now."""
    counting, program = Counting.made(folder), case.program(*words)
    case.served.set()
    done = subprocess.run(
        program.words, cwd=case.root, env=counting.environ(program), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return counting.work(case, done.stdout)

"""A bare repository with a clone, the embedded server behind a proxy that counts, and a code host that judges."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from controller.forges.github.client import split
from controller.ledger.codec import read_status
from controller.review.memory import Memory, read
from controller.state.recorded import Record
from tests.action.workflow import Step, Workflow, bare_and_clone
from tests.e2e.stand import Proxy, Repository, Server, rows, settings, spec
from tests.forge.stand_in import REPOSITORY, StandIn


@dataclass
class House:
    """All that a team has."""

    bare: Path
    clone: Repository
    forge: StandIn
    proxy: Proxy
    workflow: Workflow

    def branch(self, name: str, start: str = "main") -> None:
        self.clone.git("checkout", "-q", "-B", name, start)

    def commit(self) -> str:
        """Everything as it is, on the current branch, pushed."""
        made = self.clone.commit()
        self.clone.git("push", "-q", "-f", "origin", "HEAD")
        return made

    def merge(self, number: int, how: str = "merge", by: str = "jane") -> str:
        """Merge the pull request as one of the code host's three buttons does; the last commit on main."""
        head = str(self.forge.pulls[number]["head"]["sha"])
        self.clone.git("checkout", "-q", "main")
        if how == "merge":
            self.clone.git("merge", "-q", "--no-ff", "-m", f"Merge {number}", head)
        elif how == "squash":
            self.clone.git("merge", "-q", "--squash", head)
            self.clone.git("commit", "-q", "-m", f"Squash {number}")
        else:
            self.forge.commits[number] = self._written(f"main..{head}")
            self.clone.git("cherry-pick", "--allow-empty", f"main..{head}")
        self.clone.git("push", "-q", "origin", "main")
        made = self.clone.git("rev-parse", "HEAD")
        self.forge.merge(number, made, by)
        return made

    def _written(self, span: str) -> list[dict[str, Any]]:
        """The commits of a pull request as the code host lists them."""
        said = self.clone.git("log", "--reverse", "-z", "--format=%H%n%an%n%ae%n%aI%n%B", span)
        found = []
        for one in filter(str.strip, said.split("\0")):
            commit, name, mail, at, *message = one.split("\n")
            written = {"author": {"name": name, "email": mail, "date": at}, "message": "\n".join(message).strip()}
            found.append({"sha": commit, "commit": written})
        return found

    def open(self, number: int, branch: str = "main", repository: str = REPOSITORY) -> str:
        """A pull request of the current branch; its head."""
        head = self.commit()
        self.forge.open_pull(number, head, self.clone.git("rev-parse", branch), repository, branch)
        return head

    def comment(self, pull: int, author: str, body: str) -> Callable[[], Step]:
        """Somebody says something; what comes back runs the job of it, once or again."""
        number = self.forge.say(pull, author, body)
        payload = {
            "action": "created",
            "issue": {"number": pull, "pull_request": {"url": "https://api.github.com/x"}},
            "comment": {"id": number, "body": body, "user": {"login": author, "type": "User"}},
            "repository": {"full_name": REPOSITORY, "default_branch": "main"},
        }
        return lambda: self.workflow.step("issue_comment", payload, self.clone.git("rev-parse", "origin/main"))

    def records(self) -> Mapping[str, Record]:
        """The ledger as it stands on its branch."""
        names = self.clone.git("ls-remote", "origin", "gitune-status")
        if not names:
            return {}
        self.clone.git("fetch", "-q", "origin", "+gitune-status:refs/remotes/origin/gitune-status")
        listed = self.clone.git("ls-tree", "-r", "--name-only", "origin/gitune-status", "status/").splitlines()
        found = (read_status(p, self.clone.git("show", f"origin/gitune-status:{p}").encode() + b"\n") for p in listed)
        return {record.name: record for record in found}

    @property
    def creates(self) -> int:
        """How many tunings were asked for."""
        return len([path for method, path in self.proxy.changes if method == "POST" and "tunedModelId" in path])


def tip_of(bare: Path, branch: str) -> str:
    words = ["git", "-C", str(bare), "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}"]
    return subprocess.run(words, check=False, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    server = Server(tmp_path / "served")
    server.start()
    try:
        with Proxy(server.url).running() as proxy, StandIn().running() as forge:
            bare, clone = bare_and_clone(tmp_path)
            clone.write("gitune.yaml", settings(proxy.url))
            clone.write("specs/numbers.yaml", spec())
            clone.write("specs/rows.jsonl", rows())
            clone.commit()
            clone.git("push", "-q", "origin", "main")
            forge.tip_of = lambda branch: tip_of(bare, branch)
            made = House(bare, clone, forge, proxy, Workflow(clone, forge, tmp_path / "steps"))
            yield made
            assert forge.refused == []
    finally:
        server.stop()


def memory_of(house: House, number: int) -> Memory | None:
    """What the comment on a pull request remembers."""
    [body, *_] = house.forge.bodies(number) or [""]
    return read(split(body).memory)

"""Stories whose last pass is killed at a named point, and what must be true when it was started again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.e2e.stand import Answer, Proxy, Repository, Server, rows, settings, spec

CONVERGED = frozenset({"none", "hold"})
PASSES = 5
LONG = 1_000  # epochs: more than a test waits for


@dataclass
class Place:
    """A repository of its own on a server that all stories share."""

    repository: Repository
    proxy: Proxy
    name: str

    def write(self, epochs: int, extra: str = "") -> None:
        self.repository.write(f"specs/{self.name}.yaml", spec(self.name, epochs, extra))
        self.repository.commit()

    def remove(self) -> None:
        (self.repository.root / f"specs/{self.name}.yaml").unlink()
        self.repository.commit()

    def apply(self, *words: str, failpoint: str = "") -> Answer:
        environ = {"GITUNE_FAILPOINT": failpoint} if failpoint else {}
        return self.repository.gitune("apply", "-o", "json", *words, **environ)

    def words(self) -> list[str]:
        answer = self.apply()
        actions = answer.json["actions"] if answer.out else []
        return [action["action"] for action in actions if action["name"] == self.name]

    def serves(self) -> bool:
        """Whether an active run is recorded."""
        return bool(self.repository.status(self.name)["active"])


def _settle(place: Place) -> None:
    answer = place.apply("--wait")
    assert answer.code == 0, answer.out + answer.err


def _create(place: Place) -> None:
    place.write(1)


def _promote(place: Place) -> None:
    place.write(1)
    place.apply()
    _until_tuned(place)


def _until_tuned(place: Place) -> None:
    for _ in range(100):
        plan = place.repository.gitune("plan", "-o", "json").json
        if any(a["name"] == place.name and a["action"] == "promote" for a in plan["actions"]):
            return
        time.sleep(0.1)
    raise AssertionError("the run never ended")


def _retune(place: Place) -> None:
    place.write(1)
    _settle(place)
    place.write(2)


def _cancel(place: Place) -> None:
    place.write(1)
    _settle(place)
    place.write(LONG)
    place.apply()
    place.write(1)


def _delete(place: Place) -> None:
    place.write(1, "  deletionPolicy: Delete\n")
    _settle(place)
    place.remove()
    place.apply()
    answer = place.repository.gitune("approve-delete", place.name)
    assert answer.code == 0, answer.out + answer.err


@dataclass(frozen=True)
class Story:
    """``prepare`` leads up to the pass that is killed; ``creates`` and ``models`` are what must stand in the end."""

    name: str
    prepare: Callable[[Place], None]
    word: str
    creates: int
    models: int


STORIES = (
    Story("create", _create, "create", creates=1, models=1),
    Story("promote", _promote, "promote", creates=1, models=1),
    Story("retune", _retune, "retune", creates=2, models=2),
    Story("cancel", _cancel, "cancel", creates=2, models=2),
    Story("delete", _delete, "delete", creates=1, models=0),
)


@dataclass
class Verdict:
    """What was seen after the restart; no complaint means that all is well."""

    story: str
    failpoint: str
    killed: bool
    passes: int = 0
    complaints: list[str] = field(default_factory=list)


def prepare(place: Place, server: Server) -> None:
    """A fresh repository whose provider is the shared server behind the counting proxy."""
    place.repository.root.mkdir(parents=True)
    place.repository.git("init", "-q", "-b", "main")
    place.proxy.target = server.url
    place.repository.write("gitune.yaml", settings(place.proxy.url) + f"instance: test/{place.repository.root.name}\n")
    place.repository.write("specs/rows.jsonl", rows())
    place.repository.write("specs/keep.yaml", spec("keep", LONG, "  suspend: true\n"))
    place.repository.commit()


def play(story: Story, place: Place, failpoint: str) -> Verdict:
    """Lead up to the pass, kill it, start again until it is quiet, and count."""
    story.prepare(place)
    killed = place.apply(failpoint=failpoint).code == -9
    verdict = Verdict(story.name, failpoint, killed)
    words: list[str] = []
    for verdict.passes in range(1, PASSES + 1):
        words = place.words()
        if words and CONVERGED.issuperset(words):
            break
        if "wait" in words:
            _settle(place)
    else:
        verdict.complaints.append(f"not quiet after {PASSES} passes: {words}")
    _count(story, place, verdict)
    return verdict


def _count(story: Story, place: Place, verdict: Verdict) -> None:
    made = [
        path
        for method, path, code in place.proxy.answered
        if method == "POST" and "tunedModelId" in path and code == 200
    ]
    if len(made) != story.creates:
        verdict.complaints.append(f"{len(made)} creates instead of {story.creates}: {made}")
    if len(set(made)) != len(made):
        verdict.complaints.append(f"a create was carried out twice: {made}")
    model = place.repository.status(place.name)
    if story.models and not model["active"]:
        verdict.complaints.append("no run serves")
    left = len({slot["model"] for slot in (model["active"], model["pending"], *model["retired"]) if slot})
    expected = {"cancel": 1}.get(story.name, story.models)
    if left != expected:
        verdict.complaints.append(f"{left} models recorded instead of {expected}")
    quiet = len(place.proxy.changes)
    place.apply()
    if len(place.proxy.changes) != quiet:
        verdict.complaints.append("a quiet pass sent a change")

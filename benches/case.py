"""A number of models to a repository, a ledger and a provider in which they all exist and nothing is left to do."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benches.measure import GITUNE, OURS, Program, Wrong, environ
from benches.tuning_api import Model, Served

TOGETHER = 100  # specs in a folder, which share a dataset
ROWS = 20
LEDGER = "refs/heads/gitune-status"
MAIN = "refs/heads/main"
_WHO = "Bench <bench@example.com> 1767225600 +0000"

_SETTINGS = """\
apiVersion: gitune.dev/v1alpha1
kind: Controller
instance: bench/models
providers:
  local: {{type: local, endpoint: "{url}"}}
policy: {{maxCreates: 10000, maxDeletes: {deletes}}}
"""
_SPEC = """\
apiVersion: gitune.dev/v1alpha1
kind: TunedModel
metadata:
  name: model-{number:06}
  labels:
    team: team-{team}
spec:
  baseModel: models/tiny
  displayName: Model {number:06}
  description: Says the number that follows.
  taskType: classification
  dataset:
    path: ../../datasets/{rows}.jsonl
  hyperparameters:
    epochCount: {epochs}
    batchSize: 4
    learningRate: 0.003
"""


def settings(url: str, deletes: int = 1) -> str:
    """The text of gitune.yaml."""
    return _SETTINGS.format(url=url, deletes=deletes)


def spec(number: int, together: int = TOGETHER, epochs: int = 2) -> str:
    """The text of a spec file."""
    return _SPEC.format(number=number, team=number % 7, rows=_rows_of(number, together), epochs=epochs)


def spec_path(number: int) -> str:
    """Where it lies."""
    return f"specs/{number // TOGETHER:03}/model-{number:06}.yaml"


def dataset(start: int, rows: int = ROWS) -> str:
    """Rows of JSON lines that no other dataset has."""
    lines = (json.dumps({"text_input": f"{start} {row}", "output": f"{row + 1}"}) for row in range(rows))
    return "".join(f"{line}\n" for line in lines)


def _rows_of(number: int, together: int) -> str:
    return f"rows-{number // together:06}"


def files_of(numbers: Iterable[int], together: int = TOGETHER) -> dict[str, str]:
    """The spec files of these models, and the datasets that they name."""
    files = {}
    for number in numbers:
        files[spec_path(number)] = spec(number, together)
        files.setdefault(f"datasets/{_rows_of(number, together)}.jsonl", dataset(number // together))
    return files


@dataclass(frozen=True)
class Repository:
    """A repository whose commits are made by `git fast-import`."""

    root: Path

    @classmethod
    def made(cls, root: Path) -> Repository:
        """An empty one. Nothing is packed behind our back: that would be counted with whatever runs just then."""
        root.mkdir(parents=True)
        repository = cls(root)
        repository.git("init", "-q", "-b", "main")
        for name, value in {"gc.auto": "0", "maintenance.auto": "false", "user.name": "Bench"}.items():
            repository.git("config", name, value)
        repository.git("config", "user.email", "bench@example.com")
        return repository

    def git(self, *words: str, given: bytes | None = None) -> str:
        """What git says."""
        return self._said(*words, given=given).decode().strip()

    def _said(self, *words: str, given: bytes | None = None) -> bytes:
        command, plain = ["git", *words], environ(Program("git", (), self.root))
        done = subprocess.run(command, cwd=self.root, env=plain, input=given, capture_output=True, check=False)
        if done.returncode:
            raise Wrong(f"git {' '.join(words)}: {done.stderr.decode()}")
        return done.stdout

    def tip(self, ref: str) -> str:
        """The commit of a branch, "" where there is none."""
        return self.git("for-each-ref", "--format=%(objectname)", ref)

    def commit(self, files: Mapping[str, str], ref: str = MAIN) -> str:
        """One more commit on a branch, with these files changed or added; its id."""
        self.git("fast-import", "--quiet", "--done", given=_stream(files, ref, self.tip(ref)))
        if ref == MAIN:
            self.git("reset", "-q", "--hard")
        return self.tip(ref)

    def texts(self, ref: str) -> dict[str, str]:
        """Every file of a branch."""
        with tarfile.open(fileobj=io.BytesIO(self._said("archive", ref))) as archive:
            files = {member.name: archive.extractfile(member) for member in archive if member.isfile()}
            return {path: file.read().decode() for path, file in files.items() if file is not None}


def _stream(files: Mapping[str, str], ref: str, parent: str) -> bytes:
    parts = [f"commit {ref}\ncommitter {_WHO}\ndata 7\nChange\n\n".encode()]
    parts += [f"from {parent}\n".encode()] if parent else []
    for path, text in files.items():
        data = text.encode()
        parts.append(f"M 100644 inline {path}\ndata {len(data)}\n".encode() + data + b"\n")
    return b"".join(parts) + b"done\n"


@dataclass(frozen=True)
class Case:
    """All of it, at rest. ``models`` is the file that the provider's models are in; ``home`` Gitune's data folder."""

    size: int
    repository: Repository
    home: Path
    served: Served
    models: Path
    main: str
    ledger: str

    @property
    def root(self) -> Path:
        """The working tree."""
        return self.repository.root

    def restore(self) -> None:
        """Everything as it was when it came to rest; what Gitune keeps on this machine stays."""
        git = self.repository.git
        if self.repository.tip(MAIN) != self.main:
            git("reset", "-q", "--hard", self.main)
        if self.repository.tip(LEDGER) != self.ledger:
            git("update-ref", LEDGER, self.ledger)
        self.served.set(self.models)

    def forget(self) -> None:
        """As `restore`, and nothing is kept on this machine."""
        self.restore()
        shutil.rmtree(self.home, ignore_errors=True)

    def changed(self) -> None:
        """As `restore`, and one spec has other hyperparameters."""
        self.restore()
        self.repository.commit({spec_path(0): spec(0, epochs=3)})

    def models_there(self) -> list[Model]:
        """The provider's models."""
        return [json.loads(line) for line in self.models.read_text().splitlines()]

    def program(self, *words: str, before: Callable[[], None] | None = None, **how: Any) -> Program:  # noqa: ANN401
        """`gitune` in this repository, found as it came to rest; ``how`` replaces fields of the program."""
        plain = Program(OURS, (GITUNE, *words), self.root, {"GITUNE_HOME": str(self.home)}, self.size)
        return replace(plain, before=before or self.restore, **how)

    def at_rest(self) -> None:
        """Raises `Wrong` where a pass changed something."""
        asked = self.served.counts()["asked"]
        changes = {what: asked[what] for what in ("create", "generate") if asked.get(what)}
        if self.repository.tip(LEDGER) != self.ledger or changes:
            raise Wrong(f"a pass with nothing to do changed something: {changes}")


def made(folder: Path, size: int, served: Served, together: int = TOGETHER) -> Case:
    """A case of so many models.

    The first model of each dataset comes to be as models do: by Gitune's own passes against the provider. The others
    are told from it by their name alone, in their records as at the provider. A last pass sees whether that holds.
    """
    repository, home = Repository.made(folder / "repository"), folder / "home"
    firsts = range(0, size, together)
    served.set(written(folder / "none.jsonl", ()))
    repository.commit({"gitune.yaml": settings(served.url), **files_of(firsts, together)})
    _settle(repository, home)
    records, there = repository.texts(LEDGER), {model["name"]: json.dumps(model) for model in served.models()}
    models = written(folder / "models.jsonl", _others(there.values(), size, together))
    files = _by_model(records, size, together)
    if size > len(firsts):
        repository.commit(files_of(range(size), together))
        repository.commit(files, LEDGER)
    served.set(models)
    _settle(repository, home)
    case = Case(size, repository, home, served, models, repository.tip(MAIN), repository.tip(LEDGER))
    case.at_rest()
    return case


def _settle(repository: Repository, home: Path) -> None:
    """Passes until one leaves the ledger as it is."""
    apply = Program(OURS, (GITUNE, "apply"), repository.root, {"GITUNE_HOME": str(home)})
    for _ in range(5):
        before = repository.tip(LEDGER)
        done = subprocess.run(
            apply.words, cwd=repository.root, env=environ(apply), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Wrong(f"the case did not come to be: {done.stderr[-2000:]}")
        if before and repository.tip(LEDGER) == before:
            return
    raise Wrong("the case did not come to rest")


def named(text: str, first: int, number: int) -> str:
    """What is said of one model, said of another."""
    return text.replace(f"model-{first:06}", f"model-{number:06}").replace(f"Model {first:06}", f"Model {number:06}")


def _with_others(first: int, size: int, together: int) -> Iterator[int]:
    return iter(range(first, min(first + together, size)))


def _others(models: Iterable[str], size: int, together: int) -> Iterator[str]:
    for text in models:
        first = int(json.loads(text)["displayName"].removeprefix("Model "))
        yield from (named(text, first, number) for number in _with_others(first, size, together))


def _by_model(records: Mapping[str, str], size: int, together: int) -> dict[str, str]:
    """The files of the ledger for every model; the README is Gitune's to write."""
    files = {}
    for path, text in records.items():
        if path.startswith(("status/", "curves/")):
            first = int(Path(path).stem.removeprefix("model-"))
            for number in _with_others(first, size, together):
                files[named(path, first, number)] = named(text, first, number)
    return files


def written(path: Path, lines: Iterable[str]) -> Path:
    """A file of these lines."""
    path.write_text("".join(f"{line}\n" for line in lines))
    return path

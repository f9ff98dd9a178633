"""An empty folder to a repository that Gitune can apply: settings, one spec, one dataset."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from rich.text import Text

from controller.cli.exit_codes import ExitCode
from controller.cli.options import GlobalOptions
from controller.cli.output import Screen
from controller.errors import ControllerError
from controller.git.layout import RepositoryLayout, default_branch, find_repository
from controller.report.formatting import cell, terminal
from controller.specs.schema import COPIES, header, text

SETTINGS = f"""\
{header("gitune.yaml", "controller.json")}apiVersion: gitune.dev/v1alpha1
kind: Controller
specs: ["specs/**/*.yaml"]
defaultProvider: local
providers:
  local: {{type: local}}   # trains on this machine and costs nothing
  # gemini: {{type: gemini, apiKeyEnv: GEMINI_API_KEY}}
"""

SPEC = f"""\
{header("specs/sums.yaml", "tunedmodel.json")}apiVersion: gitune.dev/v1alpha1
kind: TunedModel
metadata:
  name: sums
spec:
  baseModel: models/tiny
  displayName: Sums
  description: Knows the sums of two one-digit numbers by heart.
  dataset:
    path: datasets/sums.jsonl
  hyperparameters: {{epochCount: 40, batchSize: 4, learningRate: 0.003}}
"""

_ACTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,99}/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}@(?:[0-9a-f]{40}|[0-9a-f]{64})")
_OWN = re.compile(r"uses: \./ #[^\n]*")  # how the workflows of this very repository name it
_BRANCH = "main"
_PUSHES = f"branches: [{_BRANCH}]"  # and where this very repository is pushed to
_PATTERN = re.compile(r"[+!]")  # git allows them in a name, GitHub takes them for a pattern unless escaped


def init(asked: GlobalOptions, action: str | None = None) -> int:
    """Write the files of `starter`, and with an ``action`` (OWNER/NAME@COMMIT) the workflows too.

    They go to the top of the repository, where every other command looks for them; outside git, to the folder.
    Raises `ControllerError`, with nothing written, where one of them exists.
    """
    repository = find_repository(asked.folder)
    root = _top(asked.folder, repository)
    branch = default_branch(repository) if repository else ""
    files = {**starter(), **(workflows(action, branch) if action else {})}
    taken = sorted(path for path in files if (root / path).exists() or (root / path).is_symlink())
    if taken:
        hint = "Move them away, or start in another folder: nothing was written."
        raise ControllerError(f"these files are there already: {', '.join(taken)}", hint=hint)
    for path, content in files.items():
        _write(root / path, content)
    made, screen = sorted(files), Screen(asked)
    if root.resolve() != asked.folder.resolve():
        screen.note(f"these files are at the top of the repository: {root}")
    screen.show(
        text=lambda _: _told(made, _next(root, repository)),
        json=lambda: {"schemaVersion": 1, "written": made},
        markdown=lambda: "".join(f"- {cell(path)}\n" for path in made),
    )
    return ExitCode.WELL


def starter() -> Mapping[str, str]:
    """What is written, by its path: 100 sums of one-digit numbers, enough for no advice on size, and the schemas."""
    rows = [{"text_input": f"{a} + {b} =", "output": str(a + b)} for a in range(10) for b in range(10)]
    return {
        **copies(),
        "gitune.yaml": SETTINGS,
        "specs/sums.yaml": SPEC,
        "specs/datasets/sums.jsonl": "".join(json.dumps(row) + "\n" for row in rows),
    }


def copies() -> Mapping[str, str]:
    """The schemas that the files for a start name in their first line, by their path."""
    return {f"{COPIES}/{name}": text(name) for name in ("controller.json", "tunedmodel.json")}


def workflows(action: str, branch: str = "") -> Mapping[str, str]:
    """The workflow files by their path, for pushes to a branch, "" where there is none yet.

    Raises `ControllerError` for an action that is not pinned by a commit.
    """
    if not _ACTION.fullmatch(action):
        hint = "Write it as OWNER/NAME@COMMIT with the whole commit id: a tag can be moved, a commit cannot."
        raise ControllerError(f"{action[:120]!r} does not pin the Action", hint=hint)
    folder = resources.files("controller.cli.github_action") / "workflows"
    texts = {file.name: file.read_text("utf-8") for file in folder.iterdir() if file.name.endswith(".yml")}
    # As YAML reads a text, whatever it is called, and as GitHub matches it to itself alone.
    quoted = json.dumps(_PATTERN.sub(r"\\\g<0>", branch), ensure_ascii=False)
    pushes = _PUSHES if branch in {"", _BRANCH} else f"branches: [{quoted}]"
    return {
        f".github/workflows/{name}": _OWN.sub(f"uses: {action}", text).replace(_PUSHES, pushes)
        for name, text in sorted(texts.items())
    }


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        hint = "See that the folder can be written to."
        raise ControllerError(f"{path} cannot be written: {error.strerror}", hint=hint) from error


def _top(folder: Path, repository: RepositoryLayout | None) -> Path:
    if repository is None:
        return folder
    if repository.top is None:
        hint = "Start in a clone of it, and push what you commit there."
        raise ControllerError(f"{folder} is a bare repository: it has no files of its own", hint=hint)
    return repository.top


def _next(root: Path, repository: RepositoryLayout | None) -> list[str]:
    """The commands that lead from the files to a model, from where the person is."""
    there = [] if root.resolve() == Path.cwd() else [f"cd {shlex.quote(str(root))}"]
    commit = "git add . && git commit -m 'A first model'"
    made = f"git init -b main && {commit}" if repository is None else commit
    return [*there, "gitune validate", made, "gitune apply --wait"]


def _told(made: list[str], steps: list[str]) -> Text:
    lines = [Text.assemble(("wrote ", "green"), terminal(path)) for path in made]
    return Text("\n").join([*lines, Text(""), Text("Next:"), *(Text(f"  {terminal(step)}") for step in steps)])

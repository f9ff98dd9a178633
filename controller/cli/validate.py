"""Files on disk to every problem they have, each with its place; nothing is sent anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Group
from rich.text import Text

from controller.cli.exit_codes import ExitCode
from controller.cli.options import GlobalOptions
from controller.cli.output import begin
from controller.cli.uncommitted import NO_COMMIT, Compared, compared, datasets
from controller.engine.desire import Kept, read_desired
from controller.engine.downloads import Outside
from controller.errors import ControllerError, Problem, Severity, SpecInvalid, Unreadable
from controller.ports import Entry, Tree
from controller.providers import facts_of
from controller.report.formatting import counted
from controller.report.render_problems import problems_json, problems_markdown, problems_text
from controller.settings import SETTINGS_FILE
from controller.source.tree import has_files, top_of
from controller.specs.loading import spec_paths
from controller.state.desired import Desired, DesiredModel
from controller.wiring import cache_of, on_disk, open_downloads, read_settings, source_of


@dataclass(frozen=True, slots=True)
class Validated:
    """What was wrong, how much was looked at, the patterns of spec files, and how the files stand to HEAD."""

    problems: tuple[Problem, ...]
    specs: int = 0
    examples: int = 0
    patterns: tuple[str, ...] = ()
    files: Compared = NO_COMMIT


def validate(asked: GlobalOptions, paths: Sequence[Path]) -> int:
    """Show the problems of all specs, or of those below some paths and of their datasets."""
    screen = begin(asked)
    with screen.waiting("reading specs and datasets"):
        found = asyncio.run(_findings(asked, paths))
    screen.show(
        text=lambda _: Group(problems_text(found.problems), Text(_looked_at(found), "dim")),
        json=lambda: problems_json(found.problems),
        markdown=lambda: problems_markdown(found.problems),
    )
    if told := found.files.sentence("this is about"):
        screen.note(told)
    wrong = any(problem.severity is Severity.ERROR for problem in found.problems)
    return ExitCode.FAILED if wrong else ExitCode.WELL


async def _findings(asked: GlobalOptions, paths: Sequence[Path]) -> Validated:
    source = source_of(on_disk(asked.folder))
    try:
        return await _found(asked, paths, await source.tree())
    finally:
        await source.close()


async def _found(asked: GlobalOptions, paths: Sequence[Path], tree: Tree) -> Validated:
    where = on_disk(asked.folder, asked.config)
    try:
        settings = read_settings(where, tree)
    except SpecInvalid as error:
        return Validated(error.problems, files=await compared(asked, tree, ()))
    can, outside = facts_of(settings), Outside(open_downloads(where))  # of what is outside, what is kept here
    if not paths:
        desired = read_desired(tree, settings, can, Kept(cache_of(where)), outside)
        files = await compared(asked, tree, settings.specs, datasets(desired.models))
        examples = sum(model.dataset.count for model in desired.models)
        return Validated(desired.problems, desired.count, examples, settings.specs, files)
    entries = [entry.path for entry in tree.entries()]
    if where.worktree:
        asked_for = tuple(_pattern(top_of(asked.folder), asked.folder, path) for path in paths)
    else:
        asked_for = tuple(_in_commit(path, entries) for path in paths)
    for path, pattern in zip(paths, asked_for, strict=True):
        if not spec_paths((pattern,), entries):
            message = f"there is no spec at {path}"
            raise ControllerError(message, hint="Name a YAML file, or a folder that holds some.")
    wider = replace(settings, specs=(*settings.specs, *asked_for))
    read_already = _configuration(asked) - set(spec_paths(settings.specs, entries))
    desired = read_desired(_Without(tree, read_already), wider, can, Kept(cache_of(where)), outside)
    below = set(spec_paths(asked_for, entries))
    files = await compared(asked, tree, asked_for, datasets(_in(desired, below)))
    return replace(_below(desired, below), files=files)


@dataclass(frozen=True, slots=True)
class _Without:
    """A tree in which some files are not listed."""

    tree: Tree
    unlisted: frozenset[str]

    @property
    def revision(self) -> str | None:
        return self.tree.revision

    def entries(self) -> Sequence[Entry]:
        return [entry for entry in self.tree.entries() if entry.path not in self.unlisted]

    def read(self, path: str, limit: int) -> bytes:
        return self.tree.read(path, limit)

    def read_many(self, paths: Sequence[str], limit: int) -> Iterator[bytes | Unreadable]:
        return self.tree.read_many(paths, limit)

    def chunks(self, path: str, limit: int) -> Iterator[bytes]:
        return self.tree.chunks(path, limit)

    def later(self, path: str, limit: int) -> Callable[[], Iterator[bytes]]:
        return self.tree.later(path, limit)


def _configuration(asked: GlobalOptions) -> frozenset[str]:
    """Where the configuration lies in the tree: it was read as what it is, and is no spec whoever names it."""
    if not has_files(asked.folder):
        return frozenset({SETTINGS_FILE})
    top = top_of(asked.folder).resolve()
    given = asked.config.resolve() if asked.config else top / SETTINGS_FILE
    return frozenset({SETTINGS_FILE, *([given.relative_to(top).as_posix()] if given.is_relative_to(top) else [])})


def _in(desired: Desired, files: set[str]) -> list[DesiredModel]:
    return [model for model in desired.models if model.place.file in files]


def _below(desired: Desired, files: set[str]) -> Validated:
    """Only what concerns these spec files: their own problems, and those of the datasets they name."""
    models = _in(desired, files)
    broken = [model for model in desired.invalid if model.place.file in files]
    concerned = files.union(datasets(models))
    own = {problem for model in broken for problem in model.problems}
    kept = tuple(p for p in desired.problems if p.file in concerned or p in own)
    return Validated(kept, len(models) + len(broken), sum(m.dataset.count for m in models))


def _pattern(top: Path, folder: Path, path: Path) -> str:
    """A path as typed to a pattern of the tree. A path is relative to where the command runs, or to ``--root``."""
    for start in (Path.cwd(), folder):
        whole = (start / path).resolve()
        if whole.exists() and whole.is_relative_to(top.resolve()):
            inside = whole.relative_to(top.resolve()).as_posix()
            if whole.is_dir():
                return "**/*.y*ml" if inside == "." else f"{inside}/**/*.y*ml"
            return inside
    raise ControllerError(f"{path} is not in {top}", hint="Name a file or folder of the repository.")


def _in_commit(path: Path, entries: Sequence[str]) -> str:
    """A path of a commit that lies nowhere on disk to a pattern of its tree."""
    inside = path.as_posix()
    return inside if inside in entries else "**/*.y*ml" if inside == "." else f"{inside}/**/*.y*ml"


def _looked_at(found: Validated) -> str:
    """The count; where there is nothing to count, where a spec was looked for: it may be the wrong folder."""
    if not found.specs and not found.problems and found.patterns:
        return f"0 specs: none was found in {' or '.join(found.patterns)}"
    return f"{counted(found.specs, 'spec')}, {counted(found.examples, 'example')}"

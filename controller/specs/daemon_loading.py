"""The bytes of a file of repositories to the repositories, and every problem in it."""

from __future__ import annotations

import posixpath
from collections.abc import Container, Iterator

from pydantic import ValidationError

from controller.documents import Document, Spot, parse
from controller.errors import Problem, Severity
from controller.git.location import LocalPath, NetworkUrl, parse_location
from controller.settings import FollowedRepository
from controller.specs.daemon_model import Daemon, Repository
from controller.specs.loading import SPEC_LIMITS
from controller.specs.models import seconds
from controller.specs.wording import problems as worded

_HINT = "start it with `apiVersion: gitune.dev/v1alpha1` and `kind: Daemon`"
_LONGEST = 86_400.0


def load_repositories(
    data: bytes, file: str, variables: Container[str]
) -> tuple[tuple[FollowedRepository, ...], tuple[Problem, ...]]:
    """The repositories of a ``Daemon`` document, and what is wrong with it. ``variables`` are those there are.

    Where a problem is an error there are no repositories: following some of what was meant would look like all of it.
    """
    parsed = parse(data, file, SPEC_LIMITS)
    found = parsed.problems
    if len(parsed.documents) != 1:
        if not any(p.severity is Severity.ERROR for p in found):
            spot = parsed.documents[1].place if parsed.documents else Spot(1, 1)
            message = f"the file holds {len(parsed.documents)} documents, it must hold one"
            found += (Problem(file, spot.line, spot.column, "GT340", message, hint=_HINT),)
        return (), tuple(sorted(found))
    repositories, more = _read(parsed.documents[0], variables)
    found = tuple(sorted({*found, *more}))
    return (() if any(p.severity is Severity.ERROR for p in found) else repositories), found


def _read(document: Document, variables: Container[str]) -> tuple[tuple[FollowedRepository, ...], tuple[Problem, ...]]:
    if not document.whole:
        return (), ()
    if not isinstance(document.value, dict):
        spot = document.place
        return (), (Problem(document.file, spot.line, spot.column, "GT340", "this is not a mapping", hint=_HINT),)
    try:
        model = Daemon.model_validate(document.value)
    except ValidationError as error:
        return (), worded(document, Daemon, error)
    found = (*worded(document, Daemon, None), *_between(document, model, variables))
    return tuple(_value(one) for one in model.repositories), found


def _between(document: Document, model: Daemon, variables: Container[str]) -> Iterator[Problem]:
    """What one repository by itself does not show: names and places that are there twice, variables that are not."""
    names: set[str] = set()
    places: dict[str, str] = {}
    for number, one in enumerate(model.repositories):
        if one.name in names:
            yield _problem(
                document, (number, "name"), "GT347", f"the name {one.name} is there twice", "choose another one"
            )
        names.add(one.name)
        other = places.setdefault(_place(one), one.name)
        if other != one.name:
            hint = "remove one: on one ledger each would take the models of the other for removed"
            message = f"this is the repository of {other} again"
            yield _problem(document, (number, "repo" if one.repo else "root"), "GT347", message, hint)
        if one.token_env is not None and one.token_env not in variables:
            hint = "set it for the daemon, or correct the name"
            message = "there is no such variable in the environment"
            yield _problem(document, (number, "tokenEnv"), "GT345", message, hint)
        if one.interval is not None and seconds(one.interval) > _LONGEST:
            message = "interval is longer than a day"
            yield _problem(document, (number, "interval"), "GT346", message, "write at most 24h")


def _problem(document: Document, path: tuple[int, str], code: str, message: str, hint: str) -> Problem:
    spot = document.value_place(("repositories", *path))
    return Problem(document.file, spot.line, spot.column, code, message, hint=hint)


def _place(one: Repository) -> str:
    """One text for one repository, whichever way it is reached."""
    if one.repo is None:
        return posixpath.normpath(one.root or "/")
    match parse_location(one.repo):
        case NetworkUrl() as url:
            return url.identity
        case LocalPath(path):
            return posixpath.normpath(path)


def _value(one: Repository) -> FollowedRepository:
    return FollowedRepository(
        name=one.name,
        root=one.root,
        repo=one.repo,
        branch=one.branch or "main",
        worktree=bool(one.worktree),
        token_env=one.token_env,
        interval=seconds(one.interval) if one.interval is not None else None,
    )

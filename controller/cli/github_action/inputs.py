"""The environment of a workflow's step to one value: inputs, the event, and where outputs go."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from controller.errors import ControllerError
from controller.forges.github.events import Event, default_branch, parse_event
from controller.rest import JSON

_LARGEST_PAYLOAD = 32 << 20  # bytes; GitHub caps payloads at 25 MB
_SHOWN = 60
E = TypeVar("E", bound=StrEnum)


class Command(StrEnum):
    """What the step is told to do; ``auto`` goes by the event."""

    AUTO = "auto"
    VALIDATE = "validate"
    PLAN = "plan"
    APPLY = "apply"
    COMMENT = "comment"  # post the plan that another, unprivileged workflow has made


class FailOn(StrEnum):
    """What ends the step with an error, each including those before it."""

    NEVER = "never"
    ERROR = "error"  # invalid specs, unreadable providers
    HOLD = "hold"  # whatever waits on a person
    WARNING = "warning"  # warnings of specs and datasets


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """One step. Paths are None where the runner gives none; ``sha`` is the commit that was checked out.

    ``branch`` is the one that is applied, "" where neither the step nor the event's payload names it.
    """

    command: Command
    comments: bool
    wait: bool
    fail_on: FailOn | None
    author: str
    event: Event
    branch: str
    repository: str
    sha: str
    ref: str
    server: str
    run_url: str
    output: Path | None
    summary: Path | None
    scratch: Path
    artifact: Path | None


def read_inputs(environ: Mapping[str, str]) -> Inputs:
    """The step's inputs. Raises `ControllerError` for a value that none of them has, naming those there are."""
    repository, server = environ.get("GITHUB_REPOSITORY", ""), environ.get("GITHUB_SERVER_URL", "https://github.com")
    run = environ.get("GITHUB_RUN_ID", "")
    name, payload = _payload_of(environ)
    return Inputs(
        command=_chosen(environ, "GITUNE_COMMAND", "command", Command) or Command.AUTO,
        comments=_chosen(environ, "GITUNE_COMMENT", "comment", _Switch) is not _Switch.OFF,
        wait=environ.get("GITUNE_WAIT", "").strip().lower() == "true",
        fail_on=_chosen(environ, "GITUNE_FAIL_ON", "fail-on", FailOn),
        author=environ.get("GITUNE_COMMENT_AUTHOR", "").strip(),
        event=parse_event(name, payload),
        branch=environ.get("GITUNE_BRANCH", "").strip() or default_branch(payload),
        repository=repository,
        sha=environ.get("GITHUB_SHA", ""),
        ref=environ.get("GITHUB_REF", ""),
        server=server,
        run_url=f"{server}/{repository}/actions/runs/{run}" if run.isdigit() and repository else "",
        output=_path(environ, "GITHUB_OUTPUT"),
        summary=_path(environ, "GITHUB_STEP_SUMMARY"),
        scratch=_path(environ, "RUNNER_TEMP") or Path.cwd(),
        artifact=_path(environ, "GITUNE_ARTIFACT"),
    )


class _Switch(StrEnum):
    AUTO = "auto"
    OFF = "off"


def _chosen(environ: Mapping[str, str], variable: str, name: str, choices: type[E]) -> E | None:
    given = environ.get(variable, "").strip().lower()
    try:
        return choices(given) if given else None
    except ValueError:
        hint = f"It is one of {', '.join(choices)}."
        raise ControllerError(f"the input `{name}` cannot be {given[:_SHOWN]!r}", hint=hint) from None


def _path(environ: Mapping[str, str], variable: str) -> Path | None:
    given = environ.get(variable, "")
    return Path(given) if given else None


def _payload_of(environ: Mapping[str, str]) -> tuple[str, JSON]:
    """The event's name and what GitHub wrote of it."""
    name, path = environ.get("GITHUB_EVENT_NAME", ""), environ.get("GITHUB_EVENT_PATH", "")
    if not name or not path:
        hint = "`gitune action` is what action.yml calls; elsewhere use `gitune plan` and `gitune apply`."
        raise ControllerError(
            "GITHUB_EVENT_NAME and GITHUB_EVENT_PATH are not set: this is not a step of a GitHub workflow", hint=hint
        )
    try:
        with Path(path).open("rb") as file:
            payload: JSON = json.loads(file.read(_LARGEST_PAYLOAD))  # a longer one is cut, and no JSON any more
    except (OSError, ValueError, RecursionError) as error:
        hint = "GITHUB_EVENT_PATH has to name the payload that GitHub wrote."
        raise ControllerError("the event's payload cannot be read", hint=hint) from error
    return name, payload

"""A file of repositories, the ``Daemon`` document: its fields, and its bytes to repositories and every problem."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Container, Iterator
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from controller.documents import Document
from controller.errors import Problem, Rejected, Severity
from controller.git.failures import GitFailed
from controller.git.parsing import LocalPath, NetworkUrl, branch_ref, parse_location
from controller.rest import checked_endpoint
from controller.settings import FollowedRepository
from controller.specs.controller_model import VARIABLE, is_variable
from controller.specs.data_uri import BadUri, parse_entry
from controller.specs.fields import API_VERSION, Coded, Part, Text, refuse
from controller.specs.loading import problem_at, read_one
from controller.specs.models import seconds

_TOKEN_SHAPED = re.compile(r"gh[pousr]_|github_pat_|glpat-")
_USERINFO = re.compile(r"(?i)(https?|file)://[^/]*@")
_ABSOLUTE = re.compile(r"/[^\x00-\x1f\x7f]{0,1000}")


def _address(text: str) -> str:
    if _USERINFO.match(text):
        hint = "remove it, and name the environment variable of a token in tokenEnv"
        raise refuse("GT344", "the address holds a user name or password", hint)
    try:
        location = parse_location(text)
    except GitFailed:
        hint = "write `repo: https://host/owner/name.git`, an ssh address, or a path from / on"
        raise refuse("GT344", "this is no address of a repository", hint) from None
    if isinstance(location, LocalPath) and not location.path.startswith("/"):
        raise refuse("GT344", "a path must begin with /", "write it from / on")
    return text


def _branch(text: str) -> str:
    try:
        branch_ref(text)
    except GitFailed:
        raise refuse("GT344", "branch is not a name git allows", "write `branch: main`") from None
    return text


def _token_env(text: str) -> str:
    # The text is not shown: where a token was pasted in place of a name, it must not reach a log.
    if not VARIABLE.fullmatch(text) or _TOKEN_SHAPED.match(text):
        hint = "write the name of a variable, such as ACME_TOKEN, and never the token itself"
        raise refuse("GT345", "tokenEnv is not the name of an environment variable", hint)
    return text


def _variable(text: str) -> str:
    # The text is not shown: where a key was pasted in place of a name, it must not reach a log.
    if not is_variable(text):
        hint = "write the names of variables, such as ACME_KEY, and never a key itself"
        raise refuse("GT348", "this is not the name of an environment variable", hint)
    return text


def _endpoint(text: str) -> str:
    try:
        return checked_endpoint(text)
    except Rejected as error:
        raise refuse("GT349", error.message, "write an address such as `https://host`") from None


def _data_source(text: str) -> str:
    try:
        parse_entry(text)
    except BadUri as error:
        hint = (
            "write an origin such as `https://host/path`, or `gs://bucket`, `s3://bucket/prefix`, `hf://datasets/OWNER`"
        )
        raise refuse("GT350", error.message, hint) from None
    return text


class RepositorySection(Part):
    """One repository that is followed."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["repo"], "not": {"required": ["worktree"]}},
                {"required": ["root"], "not": {"required": ["branch"]}},
            ],
            "not": {"required": ["root", "repo"]},
        }
    )

    name: Annotated[
        str,
        Field(pattern="^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$", examples=["models"]),
        Coded("GT342", "use 1 to 40 of a-z, 0-9 and -, starting with a letter and not ending with -"),
    ]
    """What it is called in logs, metrics, notices and on the page."""
    repo: Annotated[Text, AfterValidator(_address), Field(examples=["https://host/owner/name.git"])] | None = None
    """The address of a repository, of which a branch is followed through a mirror."""
    branch: Annotated[Text, AfterValidator(_branch), Field(examples=["main"])] | None = None
    """The branch of ``repo``; by default ``main``."""
    root: Annotated[Text, Field(pattern=f"^{_ABSOLUTE.pattern}$", examples=["/srv/models"]), Coded("GT344")] | None = (
        None
    )
    """In place of ``repo`` the folder of a local repository, of which HEAD is followed; from ``/`` on."""
    worktree: Annotated[bool | None, Field(examples=[True])] = None
    """Whether the files of ``root`` are followed as they lie there, for providers that cost nothing."""
    token_env: (
        Annotated[
            str,
            AfterValidator(_token_env),
            Field(examples=["ACME_TOKEN"], json_schema_extra={"pattern": f"^{VARIABLE.pattern}$"}),
        ]
        | None
    ) = None
    """The environment variable that holds the forge's token for this repository; by default ``GITHUB_TOKEN``."""
    variables: Annotated[
        tuple[
            Annotated[str, AfterValidator(_variable), Field(json_schema_extra={"pattern": f"^{VARIABLE.pattern}$"})],
            ...,
        ],
        Field(strict=False, max_length=50, examples=[["ACME_KEY"]]),
        Coded("GT348", "list at most 50 names of variables"),
    ] = ()
    """The environment variables that hold its providers' keys: it reads no other, and no other repository these."""
    trusted_endpoints: Annotated[
        tuple[
            Annotated[Text, AfterValidator(_endpoint), Field(json_schema_extra={"pattern": r"^https?://[^\s?#@%]+$"})],
            ...,
        ],
        Field(strict=False, max_length=50, examples=[["https://host"]]),
        Coded("GT349", "list at most 50 addresses, such as https://host"),
    ] = ()
    """The addresses to which its gitune.yaml may send what ``variables`` holds, beside those its providers know."""
    data_sources: Annotated[
        tuple[
            Annotated[Text, AfterValidator(_data_source), Field(json_schema_extra={"pattern": r"^[^\s?#%]+$"})],
            ...,
        ],
        Field(strict=False, max_length=50, examples=[["gs://bucket/prefix"]]),
        Coded("GT350", "list at most 50 addresses, such as gs://bucket"),
    ] = ()
    """Where its specs may read data from by ``uri``, with the credentials in its ``variables``; by default nowhere."""
    interval: Annotated[
        str | None,
        Field(pattern="^[1-9][0-9]{0,4}[smh]$", examples=["60s"]),
        Coded("GT346", "write a whole number and s, m or h, up to 24h, such as 60s"),
    ] = None
    """How long to wait between two checks while nothing is seen to change; by default what ``--interval`` says."""

    @model_validator(mode="after")
    def _one_place(self) -> RepositorySection:
        if (self.repo is None) == (self.root is None):
            raise refuse("GT343", "a repository has one place", "write `repo:` or `root:`, one of the two")
        if self.repo is None and self.branch is not None:
            hint = "remove it: of a local repository HEAD is followed, whatever it is on"
            raise refuse("GT343", "branch goes with repo", hint, "branch")
        if self.root is None and self.worktree is not None:
            hint = "remove it: a repository behind an address has no files here"
            raise refuse("GT343", "worktree goes with root", hint, "worktree")
        return self


class Daemon(Part):
    """The repositories that one daemon follows."""

    api_version: Annotated[Literal["gitune.dev/v1alpha1"], Coded("GT341", f"write `apiVersion: {API_VERSION}`")]
    """The format of this document."""
    kind: Annotated[Literal["Daemon"], Coded("GT341", "write `kind: Daemon`")]
    """What this document describes."""
    repositories: Annotated[
        tuple[RepositorySection, ...],
        Field(
            strict=False,
            min_length=1,
            max_length=200,
            examples=[[{"name": "models", "repo": "https://host/owner/name.git"}]],
        ),
        Coded("GT342", "list at least one repository, with its name and its `repo:` or `root:`"),
    ]
    """The repositories, each with a name of its own."""


_LONGEST = 86_400.0


def load_repositories(
    data: bytes, file: str, variables: Container[str]
) -> tuple[tuple[FollowedRepository, ...], tuple[Problem, ...]]:
    """The repositories of a ``Daemon`` document, and what is wrong with it. ``variables`` are those there are.

    Where a problem is an error there are no repositories: following some of what was meant would look like all of it.
    """
    document, model, found = read_one(data, file, Daemon, "GT340")
    if document is None or model is None:
        return (), tuple(sorted(set(found)))
    found = tuple(sorted({*found, *_between(document, model, variables)}))
    if any(p.severity is Severity.ERROR for p in found):
        return (), found
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
        for place, variable in enumerate(one.variables):
            if variable not in variables:
                hint = "set it for the daemon, or correct the name"
                message = "there is no such variable in the environment"
                yield _problem(document, (number, "variables", place), "GT348", message, hint)
        if one.interval is not None and seconds(one.interval) > _LONGEST:
            message = "interval is longer than a day"
            yield _problem(document, (number, "interval"), "GT346", message, "write at most 24h")


def _problem(document: Document, path: tuple[int | str, ...], code: str, message: str, hint: str) -> Problem:
    return problem_at(document, document.value_place(("repositories", *path)), code, message, hint)


def _place(one: RepositorySection) -> str:
    """One text for one repository, whichever way it is reached."""
    if one.repo is None:
        return posixpath.normpath(one.root or "/")
    match parse_location(one.repo):
        case NetworkUrl() as url:
            return url.identity
        case LocalPath(path):
            return posixpath.normpath(path)


def _value(one: RepositorySection) -> FollowedRepository:
    return FollowedRepository(
        name=one.name,
        root=one.root,
        repo=one.repo,
        branch=one.branch or "main",
        worktree=bool(one.worktree),
        token_env=one.token_env,
        interval=seconds(one.interval) if one.interval is not None else None,
        variables=one.variables,
        trusted_endpoints=one.trusted_endpoints,
        data_sources=one.data_sources,
    )

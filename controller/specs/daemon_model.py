"""The fields of a file of repositories, the ``Daemon`` document: types, bounds and what each means."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from controller.git.failures import GitFailed
from controller.git.location import LocalPath, parse_location
from controller.git.names import branch_ref
from controller.specs.parts import API_VERSION, Coded, Part, Text, refuse

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
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
    if not _VARIABLE.fullmatch(text) or _TOKEN_SHAPED.match(text):
        hint = "write the name of a variable, such as ACME_TOKEN, and never the token itself"
        raise refuse("GT345", "tokenEnv is not the name of an environment variable", hint)
    return text


class Repository(Part):
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
            Field(examples=["ACME_TOKEN"], json_schema_extra={"pattern": f"^{_VARIABLE.pattern}$"}),
        ]
        | None
    ) = None
    """The environment variable that holds the forge's token for this repository; by default ``GITHUB_TOKEN``."""
    interval: Annotated[
        str | None,
        Field(pattern="^[1-9][0-9]{0,4}[smh]$", examples=["60s"]),
        Coded("GT346", "write a whole number and s, m or h, up to 24h, such as 60s"),
    ] = None
    """How long to wait between two looks while nothing is seen to change; by default what ``--interval`` says."""

    @model_validator(mode="after")
    def _one_place(self) -> Repository:
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
        tuple[Repository, ...],
        Field(
            strict=False,
            min_length=1,
            max_length=200,
            examples=[[{"name": "models", "repo": "https://host/owner/name.git"}]],
        ),
        Coded("GT342", "list at least one repository, with its name and its `repo:` or `root:`"),
    ]
    """The repositories, each with a name of its own."""

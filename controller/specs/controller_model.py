"""The fields of gitune.yaml, the ``Controller`` document: types, defaults, bounds and what each means."""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from controller.errors import Severity
from controller.settings import ProviderType
from controller.specs.fields import API_VERSION, RELATIVE_PATTERN, Coded, Part, Text, refuse, relative

_LATER_TYPES = frozenset(
    {"vertex", "together", "fireworks", "openai", "azure", "bedrock", "mistral", "http", "command"}
)
_TYPES = get_args(ProviderType)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_KEY_SHAPED = re.compile(r"AIza|ya29|sk-|[A-Za-z0-9_-]{30}")
# git-check-ref-format(1): no "..", no control character, space or any of ~^:?*[\, no "/." or "//" or ".lock" end.
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@/-]{0,199}")
_DAY = "^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
_MOST_STARS = 6  # in one pattern: each may match at every place of a path

_KEY_PATTERN = "^[a-z][a-z0-9-]{0,39}$"
ProviderKey = Annotated[str, Field(pattern=_KEY_PATTERN)]


def _provider_type(text: str) -> str:
    if text in _TYPES:
        return text
    hint = f"write {' or '.join(f'`type: {one}`' for one in _TYPES)}"
    if text.lower() in _LATER_TYPES:
        raise refuse("GT316", f"providers of type {text.lower()} are not built yet", hint)
    raise refuse("GT316", "this type of provider is not known", hint)


def _endpoint(text: str) -> str:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname or any(c.isspace() for c in text):
        raise refuse("GT317", "endpoint is not an http:// or https:// address", "write `endpoint: https://host`")
    if parts.username is not None or parts.password is not None:
        hint = "remove it here and name an environment variable in apiKeyEnv"
        raise refuse("GT317", "endpoint holds a user name or password", hint)
    if parts.query or parts.fragment:
        raise refuse("GT317", "endpoint must end before any ? or #", "write scheme, host, port and path only")
    return text


def is_variable(text: str) -> bool:
    """Whether a text is the name of an environment variable, and not a key that was pasted in its place."""
    return bool(VARIABLE.fullmatch(text)) and (text.isupper() or not _KEY_SHAPED.match(text))


def _api_key_env(text: str) -> str:
    # The text is not shown: where a key was pasted in place of a name, it must not reach a log.
    if not is_variable(text):
        hint = "write the name of a variable, such as GEMINI_API_KEY, and never the key itself"
        raise refuse("GT318", "apiKeyEnv is not the name of an environment variable", hint)
    return text


def _named_as_git_does(text: str) -> bool:
    bad_part = any(p == "" or p.startswith(".") or p.endswith((".", ".lock")) for p in text.split("/"))
    return bool(_REF.fullmatch(text)) and ".." not in text and "@{" not in text and not bad_part


def _branch(text: str) -> str:
    if not _named_as_git_does(text):
        raise refuse("GT321", "branch is not a name git allows", "write `branch: gitune-status`")
    return text


def _remote(text: str) -> str:
    if not _named_as_git_does(text):
        hint = "name one that `git remote` lists, such as `remote: origin`"
        raise refuse("GT321", "remote is not the name of a remote", hint)
    return text


def _pattern(text: str) -> str:
    relative(text, "GT313")
    if ".." in text.split("/"):
        raise refuse("GT313", "a pattern must not leave the repository", "remove the `..`")
    if text.count("*") > _MOST_STARS or len(text) > 200:  # noqa: PLR2004 - longer than any real path pattern
        raise refuse("GT313", f"a pattern has at most 200 characters and {_MOST_STARS} stars", "shorten it")
    return text


def _directory(text: str) -> str:
    relative(text, "GT328")
    if ".." in text.split("/"):
        raise refuse("GT328", "the directory must not leave the repository", "write `directory: .gitune`")
    return text


def _no_sample_rows(wanted: bool) -> bool:  # noqa: FBT001 - pydantic calls it
    if wanted:
        hint = "remove it: plans and comments tell counts and lines, never rows"
        raise refuse("GT331", "showing sample rows is not built yet", hint)
    return wanted


class PricesSection(Part):
    """What tuning costs, and the day on which somebody looked it up."""

    as_of: Annotated[
        str,
        Field(pattern=_DAY, examples=["2026-11-01"]),
        Coded("GT329", "write the day of the price list as YYYY-MM-DD"),
    ]
    """The day of the price list. A list older than 90 days is refused for a budget."""
    currency: Annotated[
        str, Field(pattern="^[A-Z]{3}$", examples=["USD"]), Coded("GT329", "write three capital letters, such as USD")
    ]
    """The currency of the prices."""
    per_million_tokens: Annotated[
        dict[Annotated[Text, Field(min_length=1, max_length=200)], Annotated[float, Field(ge=0, le=1_000_000)]],
        Field(min_length=1, max_length=200, examples=[{"models/tiny": 0.5}]),
        Coded("GT329", "write a price of 0 to 1,000,000 behind each base model"),
    ]
    """The price of a million training tokens, by base model."""


class ProviderSection(Part):
    """One tuning API."""

    type: Annotated[
        str, AfterValidator(_provider_type), Field(examples=["local"], json_schema_extra={"enum": list(_TYPES)})
    ]
    """``local`` (the embedded server) or ``gemini``."""
    endpoint: (
        Annotated[
            Text,
            AfterValidator(_endpoint),
            Field(examples=["https://host"], json_schema_extra={"pattern": r"^https?://[^\s?#@]+$"}),
        ]
        | None
    ) = None
    """Where it listens; by default the type's own address, and for ``local`` a server that is started when needed."""
    api_key_env: Annotated[
        str,
        AfterValidator(_api_key_env),
        Field(examples=["GEMINI_API_KEY"], json_schema_extra={"pattern": f"^{VARIABLE.pattern}$"}),
    ] = "GEMINI_API_KEY"
    """The environment variable that holds the key."""
    max_concurrent_runs: Annotated[
        int | None, Field(ge=1, le=1000, examples=[3]), Coded("GT319", "leave it out for no limit")
    ] = None
    """How many runs may tune at once."""
    requests_per_minute: Annotated[
        int | None, Field(ge=1, le=100_000, examples=[60]), Coded("GT319", "leave it out for no limit")
    ] = None
    """How many requests may be sent in a minute."""
    prices: Annotated[
        PricesSection | None,
        Field(examples=[{"asOf": "2026-11-01", "currency": "USD", "perMillionTokens": {"models/tiny": 0.5}}]),
    ] = None
    """A dated price table: what plans estimate with, and what a budget is kept by."""

    @model_validator(mode="after")
    def _private(self) -> ProviderSection:
        if self.endpoint is None or self.type == "local":
            return self
        parts = urlsplit(self.endpoint)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            hint = "write https://, or use the loopback address 127.0.0.1"
            raise refuse("GT317", "an API key must not travel over plain http", hint, "endpoint")
        return self


class LedgerSection(Part):
    """Where the record of what was done is kept."""

    model_config = ConfigDict(
        json_schema_extra={
            "not": {"required": ["directory"], "anyOf": [{"required": ["branch"]}, {"required": ["remote"]}]}
        }
    )

    branch: (
        Annotated[
            Text,
            AfterValidator(_branch),
            Field(examples=["gitune-status"], json_schema_extra={"pattern": f"^{_REF.pattern}$"}),
        ]
        | None
    ) = None
    """The branch that holds the status files; by default ``gitune-status``."""
    remote: (
        Annotated[
            Text,
            AfterValidator(_remote),
            Field(examples=["origin"], json_schema_extra={"pattern": f"^{_REF.pattern}$"}),
        ]
        | None
    ) = None
    """The git remote of that branch; by default ``origin`` where the repository has one, else the repository itself."""
    directory: (
        Annotated[
            Text,
            AfterValidator(_directory),
            Field(examples=[".gitune"], json_schema_extra={"pattern": RELATIVE_PATTERN}),
        ]
        | None
    ) = None
    """A directory in place of a branch."""

    @model_validator(mode="after")
    def _one_place(self) -> LedgerSection:
        if self.directory is not None and (self.branch is not None or self.remote is not None):
            hint = "keep the directory, or the branch and its remote"
            raise refuse("GT320", "the ledger has both a directory and a branch", hint, "directory")
        return self


_SeverityWord = Annotated[Severity, Field(strict=False)]


class BudgetSection(Part):
    """A limit on spending."""

    per_month: Annotated[
        str,
        Field(pattern=r"^[0-9]{1,9}(\.[0-9]{1,2})? [A-Z]{3}$", examples=["200 USD"]),
        Coded("GT326", "write an amount and a currency, such as `perMonth: 200 USD`"),
    ]
    """What may be spent in a calendar month (UTC). A run whose outcome is not known counts as spent."""


class PolicySection(Part):
    """What the controller may do."""

    max_deletes: Annotated[
        int, Field(ge=0, le=1000, examples=[1]), Coded("GT322", "1 asks a person before a second delete")
    ] = 1
    """How many remote models one pass may delete."""
    max_creates: Annotated[
        int, Field(ge=0, le=10_000, examples=[50]), Coded("GT322", "50 asks a person before the 51st run")
    ] = 50
    """How many runs one pass may start."""
    checks: Annotated[
        dict[str, _SeverityWord], Field(examples=[{"GT209": "error"}]), Coded("GT325", "write error, warning or advice")
    ] = Field(default_factory=dict)
    """Severities by problem code: error, warning or advice."""
    delete_grace: Annotated[
        str,
        Field(pattern="^[0-9]{1,6}[smhd]$", examples=["24h"]),
        Coded("GT330", "write a whole number and s, m, h or d, such as 24h"),
    ] = "24h"
    """How long a model that is to be deleted still stands, so that a mistake can be taken back."""
    settle: Annotated[
        str | None,
        Field(pattern="^[0-9]{1,6}[smhd]$", examples=["1m"]),
        Coded("GT333", "write a whole number and s, m, h or d, such as 1m"),
    ] = None
    """How long a further edit waits, while the run of the last one is younger than that, for nobody to edit the spec.

    By default 1m for ``gitune run`` and not at all for ``gitune apply``."""
    budget: Annotated[BudgetSection | None, Field(examples=[{"perMonth": "200 USD"}])] = None
    """A limit on spending. It needs ``prices`` of every provider that costs anything."""
    require_review: Annotated[
        Literal["pullRequest", "none"], Field(examples=["none"]), Coded("GT332", "write pullRequest or none")
    ] = "none"
    """Whether commits that came from no pull request are applied (none), or wait for a review too (pullRequest)."""
    sample_rows: Annotated[
        bool, AfterValidator(_no_sample_rows), Field(examples=[False], json_schema_extra={"const": False})
    ] = False
    """Whether reports may show dataset rows. Not built yet: no report ever does, and ``true`` is refused."""


class Controller(Part):
    """What one repository settles for all its models."""

    api_version: Annotated[Literal["gitune.dev/v1alpha1"], Coded("GT311", f"write `apiVersion: {API_VERSION}`")]
    """The format of this document."""
    kind: Annotated[Literal["Controller"], Coded("GT311", "write `kind: Controller`")]
    """What this document describes."""
    instance: Annotated[
        str | None,
        Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,199}$", examples=["acme/models"]),
        Coded("GT312", "use up to 200 letters, digits and . _ : / @ -, such as acme/models"),
    ] = None
    """The controller's id in owner marks; by default host and path of the remote, else the first commit's id."""
    specs: Annotated[
        tuple[Annotated[Text, AfterValidator(_pattern)], ...],
        Field(strict=False, min_length=1, max_length=100, examples=[["specs/**/*.yaml"]]),
        Coded("GT313", "write at least one pattern, such as `specs/**/*.yaml`"),
    ] = ("specs/**/*.yaml", "specs/**/*.yml")
    """Which files are read for specs. Documents of other kinds in them are ignored."""
    default_provider: Annotated[
        str | None, Field(pattern=_KEY_PATTERN, examples=["local"]), Coded("GT315", "use a-z, 0-9 and -")
    ] = None
    """The provider of specs that name none; by default ``local``."""
    providers: Annotated[
        dict[ProviderKey, ProviderSection],
        Field(
            min_length=1,
            max_length=50,
            examples=[{"local": {"type": "local"}}],
            json_schema_extra={"propertyNames": {"pattern": _KEY_PATTERN}},
        ),
        Coded("GT315", "write at least one provider, its key of a-z, 0-9 and -, starting with a letter"),
    ] = Field(default_factory=lambda: {"local": ProviderSection(type="local")})
    """The tuning APIs, by a key of your choice."""
    ledger: Annotated[LedgerSection, Field(examples=[{"branch": "gitune-status"}])] = LedgerSection()
    """Where the record of what was done is kept."""
    policy: Annotated[PolicySection, Field(examples=[{"maxDeletes": 1}])] = PolicySection()
    """What the controller may do."""

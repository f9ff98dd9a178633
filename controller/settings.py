"""What gitune.yaml and the environment settle, as frozen values."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from controller.errors import Severity

SETTINGS_FILE = "gitune.yaml"  # at the top of the repository
ProviderType = Literal["local", "gemini"]


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """One entry of ``providers:``. ``endpoint`` and ``api_key_env`` None mean the type's own default."""

    key: str
    type: ProviderType
    endpoint: str | None = None
    api_key_env: str | None = None
    max_concurrent_runs: int | None = None
    prices: Prices | None = None
    requests_per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """Where the record is kept: on a branch (``remote`` None: chosen by what the repository has) or in a directory."""

    branch: str = "gitune-status"
    remote: str | None = None
    directory: str | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """What may be spent in a calendar month (UTC). An outcome that is not known counts as spent."""

    per_month: float
    currency: str


@dataclass(frozen=True, slots=True)
class Prices:
    """A dated price table: what a million training tokens cost, by base model, in one currency.

    ``as_of`` is the day (``YYYY-MM-DD``) on which somebody looked the prices up.
    """

    as_of: str
    currency: str
    per_million_tokens: Mapping[str, float]


class RequireReview(StrEnum):
    """What needs a review beside what came from a pull request."""

    PULL_REQUEST = "pullRequest"  # everything: nothing is done for a spec without a grant on record
    NONE = "none"  # commits of no pull request need none


@dataclass(frozen=True, slots=True)
class Policy:
    """What the whole plan may do. ``checks`` maps a problem code to the severity a team gives it.

    ``delete_grace`` is the time in seconds between deciding on a deletion and carrying it out. ``settle`` is how long
    (seconds) a further edit of a spec whose run is younger waits for the next; None: as whoever makes passes has it.
    """

    max_deletes: int = 1
    max_creates: int = 50
    delete_grace: float = 86_400.0
    budget: Budget | None = None
    checks: Mapping[str, Severity] = field(default_factory=lambda: MappingProxyType({}))
    require_review: RequireReview = RequireReview.NONE
    settle: float | None = None


DEFAULT_PROVIDERS: Mapping[str, ProviderSettings] = MappingProxyType({"local": ProviderSettings("local", "local")})


@dataclass(frozen=True, slots=True)
class Settings:
    """A whole gitune.yaml; the defaults are those of a repository without one."""

    instance: str | None = None
    specs: tuple[str, ...] = ("specs/**/*.yaml", "specs/**/*.yml")
    default_provider: str = "local"
    providers: Mapping[str, ProviderSettings] = field(default_factory=lambda: DEFAULT_PROVIDERS)
    ledger: LedgerSettings = field(default_factory=LedgerSettings)
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True)
class FollowedRepository:
    """One of several repositories that a daemon follows: HEAD of ``root``, or ``branch`` behind the address ``repo``.

    ``token_env`` names the variable with the forge's token, None for GITHUB_TOKEN; ``interval`` is in seconds, None for
    what all have.
    """

    name: str
    root: str | None = None
    repo: str | None = None
    branch: str = "main"
    worktree: bool = False
    token_env: str | None = None
    interval: float | None = None


def home(environ: Mapping[str, str] = os.environ) -> Path:
    """Gitune's own data folder: ``GITUNE_HOME``, else ``$XDG_DATA_HOME/gitune``, else ``~/.local/share/gitune``."""
    if chosen := environ.get("GITUNE_HOME"):
        return Path(chosen).expanduser()
    if data := environ.get("XDG_DATA_HOME"):
        return Path(data) / "gitune"
    return Path.home() / ".local" / "share" / "gitune"

"""What gitune.yaml and the environment settle, as frozen values."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from controller.errors import Rejected, RejectedKind, Severity

SETTINGS_FILE = "gitune.yaml"  # at the top of the repository
ProviderType = Literal["local", "gemini"]


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """One entry of ``providers:``. ``endpoint`` and ``api_key_env`` None mean the type's own default.

    ``place`` is where its endpoint is written, as ``file:line:column``, "" where nobody wrote it.
    """

    key: str
    type: ProviderType
    endpoint: str | None = None
    api_key_env: str | None = None
    max_concurrent_runs: int | None = None
    prices: Prices | None = None
    requests_per_minute: int | None = None
    place: str = field(default="", compare=False)


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

    @property
    def currency(self) -> str:
        """What the costs on record are in: the budget's, else that of all price tables; "" where they differ."""
        if self.policy.budget is not None:
            return self.policy.budget.currency
        found = {one.prices.currency for one in self.providers.values() if one.prices is not None}
        return found.pop() if len(found) == 1 else ""


@dataclass(frozen=True, slots=True)
class FollowedRepository:
    """One of several repositories that a daemon follows: HEAD of ``root``, or ``branch`` behind the address ``repo``.

    ``token_env`` names the variable with the forge's token, None for GITHUB_TOKEN; ``interval`` is in seconds, None for
    what all have. Its providers look for keys in the ``variables`` of the daemon's environment, and in no others; its
    gitune.yaml may send them to ``trusted_endpoints``. Its specs may read data at a uri of ``data_sources``.
    """

    name: str
    root: str | None = None
    repo: str | None = None
    branch: str = "main"
    worktree: bool = False
    token_env: str | None = None
    interval: float | None = None
    variables: tuple[str, ...] = ()
    trusted_endpoints: tuple[str, ...] = ()
    data_sources: tuple[str, ...] = ()


_LARGEST_SECRET: Final = 64 * 1024  # bytes
_FILE: Final = "_FILE"
# Variables that name a file which is kept in memory once it was read.
_NAMES_FILES: Final = frozenset({"GOOGLE_APPLICATION_CREDENTIALS"})


class Environment(Mapping[str, str]):
    """The variables of a process, where a variable that is not set may stand in a file: ``NAME_FILE`` names it.

    A file is read each time its variable is asked for, so a secret that was rotated counts from then on. A variable
    of a process cannot be changed from outside, a file can. ``instead`` names variables that stand for others: a
    repository's own token for GITHUB_TOKEN. What is listed are the variables that are set.
    """

    def __init__(self, variables: Mapping[str, str], instead: Mapping[str, str] | None = None) -> None:
        self._variables = variables
        self._instead = dict(instead or {})
        self._seen: dict[str, tuple[int, ...]] = {}
        self._edition = 0

    def __getitem__(self, name: str) -> str:
        """The value. Raises `KeyError`, and `Rejected` (UNAUTHENTICATED) for a file that cannot be read."""
        name = self._instead.get(name, name)
        value = self._variables.get(name, "")
        if value and name in _NAMES_FILES:
            self._seen.setdefault(value, _stamp(value))
        if value or not self._variables.get(name + _FILE):
            return self._variables[name]
        path = self._variables[name + _FILE]
        self._seen.setdefault(path, _stamp(path))
        return _secret_in(path, name)

    def __contains__(self, name: object) -> bool:
        """Whether it is set, or stands in a file; the file is not read."""
        name = self._instead.get(str(name), str(name))
        return name in self._variables or bool(self._variables.get(name + _FILE))

    def __iter__(self) -> Iterator[str]:
        """The names of the variables that are set."""
        return iter(self._variables)

    def __len__(self) -> int:
        """How many are set."""
        return len(self._variables)

    @property
    def edition(self) -> int:
        """A number that rises whenever a file that was read before has changed: what was made of it is out of date."""
        for path, seen in self._seen.items():
            if (now := _stamp(path)) != seen:
                self._seen[path] = now
                self._edition += 1
        return self._edition


def _stamp(path: str) -> tuple[int, ...]:
    """What tells one state of a file from another; nothing where there is none."""
    try:
        facts = Path(path).stat()  # through links: Kubernetes swaps a link to change a mounted secret
    except (OSError, ValueError):
        return ()
    return facts.st_dev, facts.st_ino, facts.st_mtime_ns, facts.st_size


def _secret_in(path: str, name: str) -> str:
    hint = (
        f"Put the value of {name} into that file, and nothing else; the user Gitune runs as has to be able to read it."
    )
    try:
        with Path(path).open("rb") as file:
            data = file.read(_LARGEST_SECRET + 1)
        text = data.decode("utf-8").strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        message = f"{name}{_FILE} names {path}, which cannot be read: {why}"
        raise Rejected(message, kind=RejectedKind.UNAUTHENTICATED, hint=hint) from None
    if not text or len(data) > _LARGEST_SECRET:
        why = "is larger than 64 KiB" if text else "is empty"
        raise Rejected(f"{name}{_FILE} names {path}, which {why}", kind=RejectedKind.UNAUTHENTICATED, hint=hint)
    return text


def home(environ: Mapping[str, str] = os.environ) -> Path:
    """Gitune's own data folder: ``GITUNE_HOME``, else ``$XDG_DATA_HOME/gitune``, else ``~/.local/share/gitune``."""
    if chosen := environ.get("GITUNE_HOME"):
        return Path(chosen).expanduser()
    if data := environ.get("XDG_DATA_HOME"):
        return Path(data) / "gitune"
    return Path.home() / ".local" / "share" / "gitune"

"""What gitune.yaml would send of a machine's secrets, and what was said outside of the repository, to a yes or a no."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from controller.errors import ControllerError, Rejected, RejectedKind
from controller.rest import checked_endpoint, covers, said
from controller.settings import ProviderSettings

TRUSTED_ENDPOINTS: Final = "GITUNE_TRUSTED_ENDPOINTS"
FILE: Final = "trust.json"
_LARGEST = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Sending:
    """A secret that would go to an endpoint by the word of gitune.yaml alone. ``secret`` names where it is kept."""

    secret: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class Trusted:
    """An endpoint, all below its path with it, and the secrets that may go there; None: those the repository names."""

    endpoint: str
    secrets: frozenset[str] | None = None


class Way(StrEnum):
    """Where more can be said for a repository."""

    MACHINE = "machine"  # GITUNE_TRUSTED_ENDPOINTS, or `gitune trust` in it
    ENVIRONMENT = "environment"  # GITUNE_TRUSTED_ENDPOINTS: it is followed by its address
    FILE = "file"  # its entry in the file of repositories


@dataclass(frozen=True, slots=True)
class Trust:
    """What whoever runs Gitune has said for one repository. Of nothing said, nothing is sent.

    ``variables`` are those of the environment that are this repository's own, None for all that there are.
    """

    trusted: tuple[Trusted, ...] = ()
    variables: frozenset[str] | None = None
    way: Way = Way.MACHINE

    def visible(self, environ: Mapping[str, str]) -> Mapping[str, str]:
        """The variables that may hold a secret for this repository."""
        if self.variables is None:
            return environ
        return {name: value for name, value in environ.items() if name in self.variables}

    def allows(self, sending: Sending) -> bool:
        """Whether this secret may go there."""
        return any(
            covers(one.endpoint, sending.endpoint) and (one.secrets is None or sending.secret in one.secrets)
            for one in self.trusted
        )

    def check(self, sending: Sending, settings: ProviderSettings) -> None:
        """Raises `Rejected` (PRECONDITION), with the place in gitune.yaml and the way out, where it may not."""
        if self.allows(sending):
            return
        place = f"{settings.place}: " if settings.place else ""
        raise Rejected(
            f"{place}GT334 {sending.secret} is not sent to {sending.endpoint}: "
            "a repository does not decide where a secret of this machine goes",
            kind=RejectedKind.PRECONDITION,
            hint=_way_out(self.way, sending.endpoint),
            provider=settings.key,
        )


def _way_out(way: Way, endpoint: str) -> str:
    variable = f"set {TRUSTED_ENDPOINTS}={endpoint} where Gitune runs"
    match way:
        case Way.MACHINE:
            return f"Where that address is to have it, run `gitune trust {endpoint}` in this repository, or {variable}."
        case Way.ENVIRONMENT:
            return f"Where that address is to have it, {variable}."
        case Way.FILE:
            return (
                f"Where that address is to have it, add {endpoint} to `trustedEndpoints` of this repository "
                "in the file of --repositories."
            )


def said_by_environment(environ: Mapping[str, str]) -> tuple[Trusted, ...]:
    """GITUNE_TRUSTED_ENDPOINTS: origins, or endpoints with a path, between blanks. Raises `ControllerError`."""
    return tuple(Trusted(_origin(word, TRUSTED_ENDPOINTS)) for word in environ.get(TRUSTED_ENDPOINTS, "").split())


def _origin(text: str, where: str) -> str:
    try:
        return checked_endpoint(text)
    except Rejected as error:
        raise ControllerError(
            f"{where}: {error.message}", hint="List addresses such as https://host, or http://127.0.0.1:8080."
        ) from None


class TrustFile:
    """What `gitune trust` was told on this machine, by repository: a file in Gitune's data folder.

    A repository is known by its folder: another clone of it has its own say.
    """

    def __init__(self, home: Path) -> None:
        self.path = home / FILE

    def of(self, repository: Path) -> tuple[Trusted, ...]:
        """What may be sent for a repository. Raises `ControllerError` where the file cannot be relied on."""
        if self.path.resolve().is_relative_to(repository):
            return ()  # a checkout that brings Gitune's data folder along would speak for itself
        return self._read().get(str(repository), ())

    def add(self, repository: Path, endpoint: str, secrets: frozenset[str]) -> None:
        """Let these secrets go to an endpoint for a repository, beside what may go there already."""
        if self.path.resolve().is_relative_to(repository):
            raise ControllerError(
                f"Gitune's data folder {self.path.parent} lies in the repository: what is said there is not believed",
                hint="Set GITUNE_HOME to a folder outside of it.",
            )
        known = self._read()
        before = {one.endpoint: one.secrets or frozenset() for one in known.get(str(repository), ())}
        after = before | {endpoint: before.get(endpoint, frozenset()) | secrets}
        self._write(known | {str(repository): tuple(Trusted(e, s) for e, s in sorted(after.items()))})

    def remove(self, repository: Path, endpoint: str) -> bool:
        """Take an endpoint back; False where it was not there."""
        known = self._read()
        before = known.get(str(repository), ())
        after = tuple(one for one in before if one.endpoint != endpoint)
        self._write({**known, str(repository): after})
        return before != after

    def _read(self) -> dict[str, tuple[Trusted, ...]]:
        try:
            with self.path.open("rb") as file:
                if os.fstat(file.fileno()).st_uid != os.geteuid():
                    raise self._unusable("belongs to another user")
                known = json.loads(file.read(_LARGEST))["repositories"]
            return {
                str(repository): tuple(
                    Trusted(checked_endpoint(one["endpoint"]), frozenset(map(str, one["secrets"]))) for one in entries
                )
                for repository, entries in known.items()
            }
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise self._unusable(f"cannot be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError, Rejected, RecursionError):
            raise self._unusable("is not what Gitune writes") from None

    def _write(self, known: Mapping[str, tuple[Trusted, ...]]) -> None:
        told = {
            repository: [{"endpoint": one.endpoint, "secrets": sorted(one.secrets or ())} for one in entries]
            for repository, entries in sorted(known.items())
            if entries
        }
        new = self.path.with_name(f"{FILE}.new")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new.unlink(missing_ok=True)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                json.dump({"schemaVersion": 1, "repositories": told}, file, indent=2)
            new.replace(self.path)
        except OSError as error:
            raise self._unusable(f"cannot be written: {error.strerror}") from None

    def _unusable(self, why: str) -> ControllerError:
        return ControllerError(
            f"{said(str(self.path))} {why}", hint="Remove it, and say again with `gitune trust` what may be sent."
        )

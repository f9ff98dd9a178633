"""A key or a credentials file of Google to the headers that prove who asks."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from controller.errors import ProviderError, Rejected, RejectedKind, Transient
from controller.network import is_loopback
from controller.rest import JSON, Secret, ask_once, know, said

SCOPE = "https://www.googleapis.com/auth/generative-language.tuning"
STORAGE_SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"
CREDENTIALS_FILE = "GOOGLE_APPLICATION_CREDENTIALS"
KEY_HEADER = "x-goog-api-key"  # a header and never ?key=: URLs end up in logs
GET_A_KEY = "Get a key at https://aistudio.google.com/apikey"


class ApiKey:
    """A key of the Gemini API, sent in a header of its own. ``source`` names where it came from, in words."""

    renews = False

    def __init__(self, key: Secret, source: str) -> None:
        self._key = key
        self.name = f"the key in {source}"
        self.hint = f"{GET_A_KEY} and set {source} to it."

    async def headers(self, *, fresh: bool = False) -> Mapping[str, str]:  # noqa: ARG002 - a key does not renew
        """The key's header. Raises `Rejected` (UNAUTHENTICATED) for a key that cannot stand in one."""
        text = self._key.reveal().strip()
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            raise Rejected(
                f"{self.name} is not a key: it is empty, or has blanks, line ends or other odd characters in it",
                kind=RejectedKind.UNAUTHENTICATED,
                hint=self.hint,
            )
        return {KEY_HEADER: text}


# Google's metadata addresses are http by design; everything else that hands out tokens is https or this machine.
_METADATA = frozenset({"metadata.google.internal", "169.254.169.254", "fd00:ec2::254"})


@dataclass(frozen=True, slots=True)
class TokenResponse:
    """What google-auth reads of an answer."""

    status: int
    headers: Mapping[str, str]
    data: bytes = field(repr=False)


def token_request(
    url: str,
    method: str = "GET",
    body: bytes | str | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float | None = None,
    **_: object,
) -> TokenResponse:
    """The answer, at most 1 MB of it: a google.auth.transport.Request. Raises google-auth's TransportError."""
    from google.auth.exceptions import TransportError  # noqa: PLC0415 - only once google-auth is in use

    parts = urlsplit(url)
    if parts.scheme != "https" and not is_loopback(parts.hostname or "") and parts.hostname not in _METADATA:
        raise TransportError("a token is not asked for over plain http")
    found = ask_once(method, url, body, headers or {}, timeout or _TOKEN_SECONDS)
    if isinstance(found, str):
        raise TransportError(f"{parts.hostname}: {found}", retryable=True)
    plain = found.code == HTTPStatus.OK or found.code >= HTTPStatus.BAD_REQUEST
    return TokenResponse(found.code if plain else HTTPStatus.BAD_GATEWAY, found.headers, found.body)


if TYPE_CHECKING:
    from google.auth.credentials import Credentials as GoogleCredentials

_LARGEST_FILE = 256 * 1024
_TOKEN_SECONDS = 20.0
_SECRET_FIELDS = ("private_key", "client_secret", "refresh_token")


class OAuth:
    """Tokens for the account of one credentials file; ``source`` names where its path came from, in words.

    ``scope`` is what they are good for; the docs of tunedModels.patch name no other than its default.

    A service account, a signed-in user, workload identity federation (``external_account``: a file, a URL, AWS or a
    certificate; programs are not run) or an impersonated service account.
    """

    renews = True

    def __init__(self, file: Path, source: str, scope: str = SCOPE) -> None:
        self._file = file
        self._scope = scope
        self.source = source
        self._google: GoogleCredentials | None = None
        self._turn = threading.Lock()  # refreshing runs in threads, and google-auth's objects are not made for two
        self.name = f"the account in {source}"
        self.hint = (
            f"See that {file} is a credentials file that still holds, for instance by "
            f"`gcloud auth application-default login --scopes={scope},https://www.googleapis.com/auth/cloud-platform`."
        )

    async def headers(self, *, fresh: bool = False) -> Mapping[str, str]:
        """The bearer token's header, and the project that pays where the file names one. Raises `ProviderError`."""
        # An error is handed over, not raised, in the thread: its context would keep google-auth's, whose text may
        # quote the token endpoint's answer.
        found = await asyncio.to_thread(self._headers, fresh)
        if isinstance(found, ProviderError):
            raise found
        return found

    def _headers(self, fresh: bool) -> Mapping[str, str] | ProviderError:  # noqa: FBT001 - passed through to_thread
        import google.auth.exceptions  # noqa: PLC0415 - loading it costs half a second that most commands never need

        try:
            with self._turn:
                return self._bearer(fresh=fresh)
        except ProviderError as error:
            return error
        except google.auth.exceptions.GoogleAuthError as error:
            message = f"{self.name}: no token from {self._file}: {said(str(error.args[0] if error.args else ''))}"
            if error.retryable or isinstance(error, google.auth.exceptions.TransportError):
                return Transient(message, hint="It is asked for again on the next pass.")
            return Rejected(message, kind=RejectedKind.UNAUTHENTICATED, hint=self.hint)
        except (ValueError, KeyError, TypeError):
            # What google-auth and cryptography say about a bad file may quote the key in it.
            return self._refused("is not a credentials file that google-auth can use")

    def _bearer(self, *, fresh: bool) -> Mapping[str, str]:
        if self._google is None:
            self._google = _credentials(self._read(), (self._scope,))
        if fresh or not self._google.valid:
            self._google.refresh(token_request)
        headers: dict[str, str] = {}
        self._google.apply(headers)
        know(str(self._google.token))
        return headers

    def _read(self) -> Mapping[str, JSON]:
        try:
            with self._file.open("rb") as file:
                info: JSON = json.loads(file.read(_LARGEST_FILE))
        except OSError as error:
            raise self._refused(f"cannot be read: {error.strerror}") from None
        except (ValueError, RecursionError):
            raise self._refused("is not JSON") from None
        if not isinstance(info, Mapping):
            raise self._refused("is not a credentials file")
        for name in _SECRET_FIELDS:
            know(str(info.get(name, "")))
        return info

    def _refused(self, why: str) -> Rejected:
        return Rejected(f"{self.name}: {self._file} {why}", kind=RejectedKind.UNAUTHENTICATED, hint=self.hint)


def _credentials(info: Mapping[str, JSON], scopes: tuple[str, ...]) -> GoogleCredentials:
    """The credentials a file describes. Raises ValueError for a kind that is not supported."""
    # Each kind by its own loader: google-auth's generic one is deprecated, as it also runs programs a file names.
    from google.auth import aws, identity_pool, impersonated_credentials  # noqa: PLC0415 - see above
    from google.oauth2 import credentials, service_account  # noqa: PLC0415 - see above

    made: GoogleCredentials
    match info.get("type"):
        case "service_account":
            made = service_account.Credentials.from_service_account_info(info, scopes=scopes)
        case "authorized_user":
            made = credentials.Credentials.from_authorized_user_info(info)
        case "impersonated_service_account":
            made = impersonated_credentials.Credentials.from_impersonated_service_account_info(info, scopes=scopes)
        case "external_account":
            source = info.get("credential_source")
            named = source if isinstance(source, Mapping) else {}
            if "executable" in named:
                raise ValueError("programs are not run")
            if "environment_id" in named:
                made = aws.Credentials.from_info(info, scopes=scopes)
            else:
                made = identity_pool.Credentials.from_info(info, scopes=scopes)
        case _:
            raise ValueError("unknown type")
    return made


GCLOUD = "gcloud's application-default credentials"


def account(secrets: Mapping[str, str], scope: str = SCOPE) -> OAuth | None:
    """The account of the credentials file that is named, else of whoever is signed in; None where there is neither."""
    if file := secrets.get(CREDENTIALS_FILE, "").strip():
        return OAuth(Path(file).expanduser(), CREDENTIALS_FILE, scope)
    return _signed_in(secrets, scope)


def storage_account(secrets: Mapping[str, str]) -> OAuth | None:
    """The account that reads buckets; None where there is none."""
    return account(secrets, STORAGE_SCOPE)


def _signed_in(environ: Mapping[str, str], scope: str) -> OAuth | None:
    """Whoever `gcloud auth application-default login` left a file for; None where there is none."""
    if folder := environ.get("CLOUDSDK_CONFIG"):
        file = Path(folder) / "application_default_credentials.json"
    elif home := environ.get("HOME"):
        file = Path(home) / ".config" / "gcloud" / "application_default_credentials.json"
    else:
        return None
    return OAuth(file, GCLOUD, scope) if file.is_file() else None

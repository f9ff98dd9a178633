"""A Google credentials file to bearer tokens, by way of google-auth, which is loaded when the first token is needed."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from controller.errors import ProviderError, Rejected, RejectedKind, Transient
from controller.rest.body import JSON
from controller.rest.google_transport import TokenRequest
from controller.rest.secrets import know
from controller.rest.status import SCOPE
from controller.rest.texts import said

if TYPE_CHECKING:
    from google.auth.credentials import Credentials as GoogleCredentials

# Scopes of a credentials file's tokens; the docs of tunedModels.patch name no other.
SCOPES = (SCOPE,)
_LARGEST_FILE = 256 * 1024
_TOKEN_SECONDS = 20.0
_SECRET_FIELDS = ("private_key", "client_secret", "refresh_token")


class OAuth:
    """Tokens for the account of one credentials file; ``source`` names where its path came from, in words.

    A service account, a signed-in user, workload identity federation (``external_account``: a file, a URL, AWS or a
    certificate; programs are not run) or an impersonated service account.
    """

    renews = True

    def __init__(self, file: Path, source: str) -> None:
        self._file = file
        self._google: GoogleCredentials | None = None
        self._turn = threading.Lock()  # refreshing runs in threads, and google-auth's objects are not made for two
        self.name = f"the account in {source}"
        self.hint = (
            f"See that {file} is a credentials file that still holds, for instance by "
            f"`gcloud auth application-default login --scopes={SCOPE},https://www.googleapis.com/auth/cloud-platform`."
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
            self._google = _credentials(self._read())
        if fresh or not self._google.valid:
            with httpx.Client(trust_env=False, follow_redirects=False, timeout=_TOKEN_SECONDS) as client:
                self._google.refresh(TokenRequest(client))
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
        for field in _SECRET_FIELDS:
            know(str(info.get(field, "")))
        return info

    def _refused(self, why: str) -> Rejected:
        return Rejected(f"{self.name}: {self._file} {why}", kind=RejectedKind.UNAUTHENTICATED, hint=self.hint)


def _credentials(info: Mapping[str, JSON]) -> GoogleCredentials:
    """The credentials a file describes. Raises ValueError for a kind that is not supported."""
    # Each kind by its own loader: google-auth's generic one is deprecated, as it also runs programs a file names.
    from google.auth import aws, identity_pool, impersonated_credentials  # noqa: PLC0415 - see above
    from google.oauth2 import credentials, service_account  # noqa: PLC0415 - see above

    made: GoogleCredentials
    match info.get("type"):
        case "service_account":
            made = service_account.Credentials.from_service_account_info(info, scopes=SCOPES)
        case "authorized_user":
            made = credentials.Credentials.from_authorized_user_info(info)
        case "impersonated_service_account":
            made = impersonated_credentials.Credentials.from_impersonated_service_account_info(info, scopes=SCOPES)
        case "external_account":
            source = info.get("credential_source")
            named = source if isinstance(source, Mapping) else {}
            if "executable" in named:
                raise ValueError("programs are not run")
            if "environment_id" in named:
                made = aws.Credentials.from_info(info, scopes=SCOPES)
            else:
                made = identity_pool.Credentials.from_info(info, scopes=SCOPES)
        case _:
            raise ValueError("unknown type")
    return made

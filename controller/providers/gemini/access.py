"""Settings and environment to a Gemini client with its endpoint and its credentials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from controller.errors import Rejected, RejectedKind
from controller.ports import Facts
from controller.providers.doors import Doors
from controller.providers.gemini.client import Gemini
from controller.providers.gemini.facts import ENDPOINT, FACTS, KEY_ENV
from controller.providers.google.credentials import GET_A_KEY, SCOPE, ApiKey, OAuth, signed_in
from controller.providers.google.envelope import GOOGLE
from controller.rest import Credentials, Rest, Secret
from controller.settings import ProviderSettings

BASE_URL = "GOOGLE_GEMINI_BASE_URL"
CREDENTIALS_FILE = "GOOGLE_APPLICATION_CREDENTIALS"


def open_gemini(settings: ProviderSettings, environ: Mapping[str, str], doors: Doors) -> Gemini:
    """At the endpoint of gitune.yaml, else of the environment, else at Google's own. Raises `Rejected`."""
    endpoint = settings.endpoint or environ.get(BASE_URL, "").strip() or ENDPOINT
    return connected(settings, endpoint, _credentials(settings, environ), doors, FACTS)


def connected(
    settings: ProviderSettings, endpoint: str, credentials: Credentials, doors: Doors, facts: Facts
) -> Gemini:
    """A client of whatever speaks like Gemini. Raises `Rejected` for an endpoint that may not be asked."""
    limits = replace(doors.limits, requests_per_minute=settings.requests_per_minute)
    return Gemini(
        settings.key, Rest(endpoint, credentials, limits, doors.transport, doors.timing, dialect=GOOGLE), facts
    )


def _credentials(settings: ProviderSettings, environ: Mapping[str, str]) -> Credentials:
    """The key, where its variable is set, else the account of a credentials file.

    Raises `Rejected` (UNAUTHENTICATED) where there is neither, naming the variable.
    """
    variable = settings.api_key_env or KEY_ENV
    if key := environ.get(variable, "").strip():
        return ApiKey(Secret(key), variable)
    if file := environ.get(CREDENTIALS_FILE, "").strip():
        return OAuth(Path(file).expanduser(), CREDENTIALS_FILE)
    if (account := signed_in(environ)) is not None:
        return account
    raise Rejected(
        f"no key for {settings.key}: {variable} is not set",
        kind=RejectedKind.UNAUTHENTICATED,
        hint=(
            f"{GET_A_KEY} and set {variable} to it, "
            f"or set {CREDENTIALS_FILE} to a credentials file with the scope {SCOPE}."
        ),
        provider=settings.key,
    )

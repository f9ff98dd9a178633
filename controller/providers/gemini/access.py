"""Settings and environment to a Gemini client with its endpoint and its credentials."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from controller.errors import Rejected, RejectedKind
from controller.ports import Facts
from controller.providers.doors import Doors
from controller.providers.gemini.client import Gemini
from controller.providers.gemini.facts import ENDPOINT, FACTS, KEY_ENV
from controller.providers.google.credentials import CREDENTIALS_FILE, GET_A_KEY, SCOPE, ApiKey, account
from controller.providers.google.envelope import GOOGLE
from controller.providers.trust import Sending
from controller.rest import Credentials, Rest, Secret, checked_endpoint, covers
from controller.settings import ProviderSettings

BASE_URL = "GOOGLE_GEMINI_BASE_URL"


def open_gemini(
    settings: ProviderSettings, environ: Mapping[str, str], secrets: Mapping[str, str], doors: Doors
) -> Gemini:
    """At the endpoint of gitune.yaml, else of the environment, else at Google's own. Raises `Rejected`.

    ``secrets`` are the variables of the environment that may hold this repository's credentials.
    """
    endpoint = settings.endpoint or environ.get(BASE_URL, "").strip() or ENDPOINT
    variable, credentials = _credentials(settings, secrets)
    if credentials is None:
        raise Rejected(
            f"no key for {settings.key}: {variable} is not set",
            kind=RejectedKind.UNAUTHENTICATED,
            hint=(
                f"{GET_A_KEY} and set {variable} to it, "
                f"or set {CREDENTIALS_FILE} to a credentials file with the scope {SCOPE}."
            ),
            provider=settings.key,
        )
    return connected(settings, endpoint, credentials, doors, FACTS)


def sending_of(settings: ProviderSettings, environ: Mapping[str, str], secrets: Mapping[str, str]) -> Sending | None:
    """What gitune.yaml would send by its own word: to an address that neither Google nor the environment names.

    Raises `Rejected` for an endpoint that may not be asked.
    """
    if settings.endpoint is None:
        return None
    endpoint = checked_endpoint(settings.endpoint)
    if covers(ENDPOINT, endpoint) or endpoint == _of_the_environment(environ):
        return None
    return Sending(_credentials(settings, secrets)[0], endpoint)


def _of_the_environment(environ: Mapping[str, str]) -> str:
    # The whole endpoint and not its origin: at a gateway with many tenants the path says whose it is.
    with suppress(Rejected):
        return checked_endpoint(environ.get(BASE_URL, "").strip())
    return ""


def connected(
    settings: ProviderSettings, endpoint: str, credentials: Credentials, doors: Doors, facts: Facts
) -> Gemini:
    """A client of whatever speaks like Gemini. Raises `Rejected` for an endpoint that may not be asked."""
    limits = replace(doors.limits, requests_per_minute=settings.requests_per_minute)
    return Gemini(
        settings.key, Rest(endpoint, credentials, limits, doors.transport, doors.timing, dialect=GOOGLE), facts
    )


def _credentials(settings: ProviderSettings, secrets: Mapping[str, str]) -> tuple[str, Credentials | None]:
    """Where the credentials are kept, and they: the key, else the account of a credentials file.

    Where there is neither, the variable that a key is looked for in, and None.
    """
    variable = settings.api_key_env or KEY_ENV
    if key := secrets.get(variable, "").strip():
        return variable, ApiKey(Secret(key), variable)
    found = account(secrets)
    return (variable if found is None else found.source), found

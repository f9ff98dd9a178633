"""Settings and environment to the embedded tuning API: one that runs at an endpoint, or one of this machine's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from controller.errors import ProviderError, Rejected, RejectedKind
from controller.ports import Provider
from controller.providers.doors import Doors
from controller.providers.gemini.access import connected
from controller.providers.gemini.client import Gemini
from controller.providers.gemini.facts import KEY_ENV
from controller.providers.google.credentials import ApiKey
from controller.providers.google.envelope import GOOGLE
from controller.providers.local.client import Local
from controller.providers.local.embedded import Address, Embedded
from controller.providers.local.facts import FACTS
from controller.providers.trust import Sending
from controller.rest import ClientLimits, Credentials, NoAuth, Repeat, Rest, Secret, checked_endpoint
from controller.settings import ProviderSettings

_PING = ClientLimits(deadline=3.0, connect=1.0, tries=1)


def open_local(
    settings: ProviderSettings, environ: Mapping[str, str], secrets: Mapping[str, str], home: Path, doors: Doors
) -> Provider:
    """At the endpoint of gitune.yaml, else started where needed, with its data in ``home``. Raises `Rejected`.

    ``secrets`` are the variables of the environment that may hold this repository's credentials.
    """
    if settings.endpoint is not None:
        return connected(settings, settings.endpoint, _credentials(settings, secrets), doors, FACTS)

    def connect(address: Address) -> Gemini:
        return connected(settings, address.url, _key(address), doors, FACTS)

    async def answers(address: Address) -> bool:
        rest = Rest(address.url, _key(address), _PING, doors.transport, doors.timing, dialect=GOOGLE)
        try:
            await rest.request("GET", "/v1beta/models", {"pageSize": "1"}, repeat=Repeat.READ)
        except ProviderError:
            return False
        finally:
            await rest.close()
        return True

    return Local(settings.key, Embedded(home / "local", environ, answers), connect, FACTS)


def sending_of(settings: ProviderSettings) -> Sending | None:
    """What gitune.yaml would send by its own word. Raises `Rejected` for an endpoint that may not be asked."""
    variable = _variable(settings)
    if settings.endpoint is None or variable is None:
        return None
    return Sending(variable, checked_endpoint(settings.endpoint))


def _variable(settings: ProviderSettings) -> str | None:
    """The variable with the key of a running `gitune serve`; None where ``apiKeyEnv`` names none.

    Gemini's variable holds a key that is worth money elsewhere: it is never sent to a local port.
    """
    return None if settings.api_key_env in {None, KEY_ENV} else settings.api_key_env


def _credentials(settings: ProviderSettings, secrets: Mapping[str, str]) -> Credentials:
    variable = _variable(settings)
    if variable is None:
        return NoAuth()
    if key := secrets.get(variable, "").strip():
        return ApiKey(Secret(key), variable)
    raise Rejected(
        f"no key for {settings.key}: {variable} is not set",
        kind=RejectedKind.UNAUTHENTICATED,
        hint=f"Set {variable} to a key that the server was given with --api-key-file.",
        provider=settings.key,
    )


def _key(address: Address) -> ApiKey:
    return ApiKey(address.key, "the embedded server's key file")

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
from controller.rest import ClientLimits, Credentials, NoAuth, Repeat, Rest, Secret
from controller.settings import ProviderSettings

_PING = ClientLimits(deadline=3.0, connect=1.0, tries=1)


def open_local(settings: ProviderSettings, environ: Mapping[str, str], home: Path, doors: Doors) -> Provider:
    """At the endpoint of gitune.yaml, else started where needed, with its data in ``home``. Raises `Rejected`."""
    if settings.endpoint is not None:
        return connected(settings, settings.endpoint, _credentials(settings, environ), doors, FACTS)

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


def _credentials(settings: ProviderSettings, environ: Mapping[str, str]) -> Credentials:
    """The key of a running `gitune serve`, only where ``apiKeyEnv`` names a variable for it.

    Gemini's variable holds a key that is worth money elsewhere: it is never sent to a local port.
    """
    variable = settings.api_key_env or KEY_ENV
    if variable == KEY_ENV:
        return NoAuth()
    if key := environ.get(variable, "").strip():
        return ApiKey(Secret(key), variable)
    raise Rejected(
        f"no key for {settings.key}: {variable} is not set",
        kind=RejectedKind.UNAUTHENTICATED,
        hint=f"Set {variable} to a key that the server was given with --api-key-file.",
        provider=settings.key,
    )


def _key(address: Address) -> ApiKey:
    return ApiKey(address.key, "the embedded server's key file")

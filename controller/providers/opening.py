"""One entry of ``providers:`` to the provider that serves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from controller.errors import ProviderError, Rejected
from controller.ports import Capabilities, Chance, Clock, Provider
from controller.providers.access import gemini_credentials, gemini_endpoint, local_credentials
from controller.providers.gemini.client import Gemini
from controller.providers.local.client import Local
from controller.providers.local.embedded import Address, Embedded
from controller.providers.unusable import Unusable
from controller.rest import ApiKey, ClientLimits, Credentials, Repeat, Rest, Timing, Transport
from controller.settings import ProviderSettings

# The tuning guide's "4 MB per file", as JSON in the create's body; the embedded server takes what fits in a request,
# and its base model learns outputs of at most 256 bytes.
_GEMINI = Capabilities(inline_bytes=4_000_000)
_LOCAL = Capabilities(inline_bytes=None, output_bytes=256, free=True)
_PING = ClientLimits(deadline=3.0, connect=1.0, tries=1)


@dataclass(frozen=True, slots=True)
class Doors:
    """How time, chance and bytes reach a provider; ``transport`` None means real sockets."""

    clock: Clock
    chance: Chance
    transport: Transport | None = None

    @property
    def timing(self) -> Timing:
        """The same as callables, which is all that `controller.rest` knows of them."""
        return Timing(self.clock.now, self.clock.monotonic, self.clock.sleep, self.chance.uniform)


def capabilities(settings: ProviderSettings) -> Capabilities:
    """What a provider of that type can do; known without asking it."""
    match settings.type:
        case "gemini":
            return _GEMINI
        case "local":
            return _LOCAL


async def open_provider(settings: ProviderSettings, environ: Mapping[str, str], home: Path, doors: Doors) -> Provider:
    """The provider of one entry, without a request sent. ``home`` is Gitune's data folder.

    A missing key or a bad endpoint is not raised here but answered by the provider, so that others can go on.
    """
    can = capabilities(settings)
    try:
        match settings.type:
            case "gemini":
                endpoint, credentials = gemini_endpoint(settings, environ), gemini_credentials(settings, environ)
                return Gemini(settings.key, _rest(settings, endpoint, credentials, doors), can)
            case "local" if settings.endpoint is not None:
                credentials = local_credentials(settings, environ)
                return Gemini(settings.key, _rest(settings, settings.endpoint, credentials, doors), can)
            case "local":
                return _local(settings, environ, home, doors)
    except Rejected as error:
        return Unusable(settings.key, error, can)


def _local(settings: ProviderSettings, environ: Mapping[str, str], home: Path, doors: Doors) -> Local:
    can = capabilities(settings)

    def connect(address: Address) -> Gemini:
        return Gemini(settings.key, _rest(settings, address.url, _key(address), doors), can)

    async def answers(address: Address) -> bool:
        rest = Rest(address.url, _key(address), _PING, doors.transport, doors.timing)
        try:
            await rest.request("GET", "/v1beta/models", {"pageSize": "1"}, repeat=Repeat.READ)
        except ProviderError:
            return False
        finally:
            await rest.close()
        return True

    return Local(settings.key, Embedded(home / "local", environ, answers), connect, can)


def _key(address: Address) -> ApiKey:
    return ApiKey(address.key, "the embedded server's key file")


def _rest(settings: ProviderSettings, endpoint: str, credentials: Credentials, doors: Doors) -> Rest:
    limits = ClientLimits(requests_per_minute=settings.requests_per_minute)
    return Rest(endpoint, credentials, limits, doors.transport, doors.timing)

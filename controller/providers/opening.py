"""One entry of ``providers:`` to the provider that serves it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from controller.errors import Rejected
from controller.ports import Capabilities, Provider
from controller.providers.doors import Doors
from controller.providers.gemini.access import open_gemini
from controller.providers.local.access import open_local
from controller.providers.unusable import Unusable
from controller.settings import ProviderSettings

# The tuning guide's "4 MB per file", as JSON in the create's body; the embedded server takes what fits in a request,
# and its base model learns outputs of at most 256 bytes.
_GEMINI = Capabilities(inline_bytes=4_000_000)
_LOCAL = Capabilities(inline_bytes=None, output_bytes=256, free=True)


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
                return open_gemini(settings, environ, doors, can)
            case "local":
                return open_local(settings, environ, home, doors, can)
    except Rejected as error:
        return Unusable(settings.key, error, can)

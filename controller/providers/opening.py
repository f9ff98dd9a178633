"""One entry of ``providers:`` to the provider that serves it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from controller.errors import Rejected
from controller.ports import Facts, Provider
from controller.providers.doors import Doors
from controller.providers.gemini import facts as gemini
from controller.providers.gemini.access import open_gemini
from controller.providers.local import facts as local
from controller.providers.local.access import open_local
from controller.providers.unusable import Unusable
from controller.settings import ProviderSettings, ProviderType, Settings

FACTS: Final[Mapping[ProviderType, Facts]] = {"gemini": gemini.FACTS, "local": local.FACTS}


def facts_of(settings: Settings) -> dict[str, Facts]:
    """What is known of every provider of a gitune.yaml without asking it, by its key there."""
    return {key: FACTS[one.type] for key, one in settings.providers.items()}


async def open_provider(settings: ProviderSettings, environ: Mapping[str, str], home: Path, doors: Doors) -> Provider:
    """The provider of one entry, without a request sent. ``home`` is Gitune's data folder.

    A missing key or a bad endpoint is not raised here but answered by the provider, so that others can go on.
    """
    try:
        match settings.type:
            case "gemini":
                return open_gemini(settings, environ, doors)
            case "local":
                return open_local(settings, environ, home, doors)
    except Rejected as error:
        return Unusable(settings.key, error, FACTS[settings.type])

"""One entry of ``providers:`` to the provider that serves it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from controller.errors import Rejected, RejectedKind
from controller.ports import Facts, Provider
from controller.providers.doors import Doors
from controller.providers.gemini import access as gemini_access
from controller.providers.gemini import facts as gemini
from controller.providers.gemini.access import open_gemini
from controller.providers.local import access as local_access
from controller.providers.local import facts as local
from controller.providers.local.access import open_local
from controller.providers.trust import Sending, Trust, Way
from controller.providers.unusable import Unusable
from controller.settings import ProviderSettings, ProviderType, Settings

FACTS: Final[Mapping[ProviderType, Facts]] = {"gemini": gemini.FACTS, "local": local.FACTS}

NOTHING_SAID: Final = Trust()


def facts_of(settings: Settings) -> dict[str, Facts]:
    """What is known of every provider of a gitune.yaml without asking it, by its key there."""
    return {key: FACTS[one.type] for key, one in settings.providers.items()}


async def open_provider(
    settings: ProviderSettings, environ: Mapping[str, str], home: Path, doors: Doors, trust: Trust = NOTHING_SAID
) -> Provider:
    """The provider of one entry, without a request sent. ``home`` is Gitune's data folder.

    A missing key, a bad endpoint, and one that a secret may not be sent to are not raised here but answered by the
    provider, so that others can go on.
    """
    secrets = trust.visible(environ)
    try:
        if (sending := sending_of(settings, environ, secrets)) is not None:
            trust.check(sending, settings)
        match settings.type:
            case "gemini":
                return open_gemini(settings, environ, secrets, doors)
            case "local":
                return open_local(settings, environ, secrets, home, doors)
    except Rejected as error:
        if error.kind is RejectedKind.UNAUTHENTICATED and trust.way is Way.FILE:
            error.hint += " Name the variable in `variables` of this repository in the file of --repositories, too."
        return Unusable(settings.key, error, FACTS[settings.type])


def sending_of(settings: ProviderSettings, environ: Mapping[str, str], secrets: Mapping[str, str]) -> Sending | None:
    """The secret that gitune.yaml, and nobody else, would send to an address; None where it decides neither.

    Raises `Rejected` for an endpoint that may not be asked.
    """
    match settings.type:
        case "gemini":
            return gemini_access.sending_of(settings, environ, secrets)
        case "local":
            return local_access.sending_of(settings)

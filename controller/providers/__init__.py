"""Tuning APIs behind one port: models in, models out."""

from controller.providers.doors import Doors
from controller.providers.google.credentials import storage_account
from controller.providers.opening import facts_of, open_provider, sending_of
from controller.providers.trust import Sending, Trust, Trusted, TrustFile, Way, said_by_environment

__all__ = [
    "Doors",
    "Sending",
    "Trust",
    "TrustFile",
    "Trusted",
    "Way",
    "facts_of",
    "open_provider",
    "said_by_environment",
    "sending_of",
    "storage_account",
]

"""Tuning APIs behind one port: models in, models out."""

from controller.providers.doors import Doors
from controller.providers.opening import facts_of, open_provider

__all__ = ["Doors", "facts_of", "open_provider"]

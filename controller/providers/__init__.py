"""Tuning APIs behind one port: models in, models out."""

from controller.providers.doors import Doors
from controller.providers.opening import capabilities, open_provider

__all__ = ["Doors", "capabilities", "open_provider"]

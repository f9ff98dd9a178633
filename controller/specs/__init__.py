"""Files to valid specs and settings, every problem with its place. Pure."""

from controller.specs.codes import CODES, with_severities
from controller.specs.controller_loading import load_settings
from controller.specs.loaded import BrokenSpec, LoadedSpec, LoadedSpecs, base_of, check_references, order
from controller.specs.loading import load_specs
from controller.specs.models import FromSpecSection, TunedModel
from controller.specs.repositories import load_repositories

__all__ = [
    "CODES",
    "BrokenSpec",
    "FromSpecSection",
    "LoadedSpec",
    "LoadedSpecs",
    "TunedModel",
    "base_of",
    "check_references",
    "load_repositories",
    "load_settings",
    "load_specs",
    "order",
    "with_severities",
]

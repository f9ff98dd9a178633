"""Files to valid specs and settings, every problem with its place. Pure."""

from controller.specs.codes import CODES, with_severities
from controller.specs.controller_loading import load_settings
from controller.specs.loaded import LoadedSpecs, check_references, order
from controller.specs.loading import load_specs
from controller.specs.repositories import load_repositories

__all__ = [
    "CODES",
    "LoadedSpecs",
    "check_references",
    "load_repositories",
    "load_settings",
    "load_specs",
    "order",
    "with_severities",
]

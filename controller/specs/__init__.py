"""Files to valid specs and settings, every problem with its place. Pure."""

from controller.specs.codes import CODES
from controller.specs.controller_loading import load_settings
from controller.specs.daemon_loading import load_repositories
from controller.specs.loaded import BrokenSpec, LoadedSpec, LoadedSpecs
from controller.specs.loading import load_specs
from controller.specs.models import FromSpec, TunedModel
from controller.specs.references import base_of, check_references, order
from controller.specs.severities import with_severities

__all__ = [
    "CODES",
    "BrokenSpec",
    "FromSpec",
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

"""Bytes of a dataset file to examples, problems and a digest. Pure."""

from controller.dataset.checks import Rules, advise_hyperparameters
from controller.dataset.invisible import comparable
from controller.dataset.loading import Loaded, difference, load
from controller.dataset.rows import Layout

__all__ = ["Layout", "Loaded", "Rules", "advise_hyperparameters", "comparable", "difference", "load"]

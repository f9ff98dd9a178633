"""Bytes of a dataset file to examples, problems and a digest. Pure."""

from controller.dataset.advice import advise_hyperparameters
from controller.dataset.difference import difference, moved
from controller.dataset.invisible import comparable
from controller.dataset.loading import Examples, Loaded, load
from controller.dataset.reading import Source
from controller.dataset.rows import Layout
from controller.dataset.tally import Rules, Tally

__all__ = [
    "Examples",
    "Layout",
    "Loaded",
    "Rules",
    "Source",
    "Tally",
    "advise_hyperparameters",
    "comparable",
    "difference",
    "load",
    "moved",
]

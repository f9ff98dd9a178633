"""Bytes of a dataset file to examples, problems and a digest. Pure."""

from controller.dataset.checks import Rules, TaskType, advise_hyperparameters, check
from controller.dataset.loading import DIGEST_VERSION, Difference, Loaded, difference, digest, load, read_examples
from controller.dataset.problems import CODES
from controller.dataset.rows import Format, Layout, ReadDataset

__all__ = [
    "CODES",
    "DIGEST_VERSION",
    "Difference",
    "Format",
    "Layout",
    "Loaded",
    "ReadDataset",
    "Rules",
    "TaskType",
    "advise_hyperparameters",
    "check",
    "difference",
    "digest",
    "load",
    "read_examples",
]

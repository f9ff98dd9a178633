"""Bytes of a dataset file to examples, problems and a digest. Pure."""

from controller.dataset.checks import check
from controller.dataset.codes import CODES, Code
from controller.dataset.difference import Difference, difference
from controller.dataset.digest import DIGEST_VERSION, digest
from controller.dataset.hyperparameters import HyperparameterAdvice, advise_hyperparameters
from controller.dataset.loading import Loaded, load, to_dataset
from controller.dataset.reading import read_examples
from controller.dataset.rows import Format, Layout, ReadDataset, Row
from controller.dataset.rules import Rules, TaskType

__all__ = [
    "CODES",
    "DIGEST_VERSION",
    "Code",
    "Difference",
    "Format",
    "HyperparameterAdvice",
    "Layout",
    "Loaded",
    "ReadDataset",
    "Row",
    "Rules",
    "TaskType",
    "advise_hyperparameters",
    "check",
    "difference",
    "digest",
    "load",
    "read_examples",
    "to_dataset",
]

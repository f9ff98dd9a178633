"""Bytes of a dataset file to examples, problems and a digest. Pure."""

from controller.dataset.codes import CODES, Code
from controller.dataset.digest import DIGEST_VERSION, digest
from controller.dataset.reading import read_examples
from controller.dataset.rows import Format, Layout, ReadDataset, Row

__all__ = [
    "CODES",
    "DIGEST_VERSION",
    "Code",
    "Format",
    "Layout",
    "ReadDataset",
    "Row",
    "digest",
    "read_examples",
]

"""YAML 1.2 text to values that remember their place, and values to text. The only importer of a YAML library."""

from controller.documents.dumping import dump, read_back
from controller.documents.reading import Reread, parse
from controller.documents.values import LIMITS, Document, FileLimits, Parsed, Path, Spot, Value

__all__ = [
    "LIMITS",
    "Document",
    "FileLimits",
    "Parsed",
    "Path",
    "Reread",
    "Spot",
    "Value",
    "dump",
    "parse",
    "read_back",
]

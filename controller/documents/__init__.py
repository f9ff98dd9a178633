"""YAML 1.2 text to values that remember their place, and values to text. The only importer of a YAML library."""

from controller.documents.dumping import dump
from controller.documents.parsing import parse
from controller.documents.values import LIMITS, Document, Limits, Parsed, Path, Spot, Value
from controller.documents.written import read_back

__all__ = ["LIMITS", "Document", "Limits", "Parsed", "Path", "Spot", "Value", "dump", "parse", "read_back"]

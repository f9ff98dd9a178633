"""A plain scalar's text to its value, by the core schema of YAML 1.2 and nothing else."""

from __future__ import annotations

import math
import re

INTEGER_DIGITS = 30  # far beyond any number a field can hold, far below where int() gets slow
FLOAT_CHARACTERS = 64

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
# Each pattern starts where a number starts and has no nested repetition, so a match takes linear time.
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_A_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


class NumberRefused(ValueError):
    """A number that is not finite, or too long to be one that is meant."""


def resolve(text: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar (YAML 1.2.2, 10.3.2). Raises `NumberRefused`."""
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text[0] not in "+-.0123456789":
        return text
    if _NOT_A_NUMBER.fullmatch(text):
        raise NumberRefused("is not a finite number")
    if _DECIMAL.fullmatch(text):
        return int(_short(text, INTEGER_DIGITS))
    if _OCTAL.fullmatch(text):
        return int(_short(text, INTEGER_DIGITS), 0)
    if _HEXADECIMAL.fullmatch(text):
        return int(_short(text, INTEGER_DIGITS), 0)
    if _FLOAT.fullmatch(text):
        return _finite(_short(text, FLOAT_CHARACTERS))
    return text


def _short(text: str, limit: int) -> str:
    if len(text) > limit:
        raise NumberRefused(f"has {len(text)} characters, more than the {limit} a number may have")
    return text


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise NumberRefused("is too large for a number")
    return number

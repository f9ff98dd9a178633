"""What a person may choose of notices; apart, since the command line reads it at every start."""

from __future__ import annotations

from enum import StrEnum


class NoticeFormat(StrEnum):
    """How a notice is written."""

    JSON = "json"
    SLACK = "slack"


class NoticeFilter(StrEnum):
    """Which notices are given."""

    ALL = "all"
    PROBLEMS = "problems"

"""What a person may choose of leases and notices."""

from __future__ import annotations

from enum import StrEnum


class LeaseKind(StrEnum):
    """Where it is kept which of several daemons is at work."""

    LEDGER = "ledger"
    KUBERNETES = "kubernetes"
    NONE = "none"


class NoticeFormat(StrEnum):
    """How a notice is written."""

    JSON = "json"
    SLACK = "slack"


class NoticeFilter(StrEnum):
    """Which notices are given."""

    ALL = "all"
    PROBLEMS = "problems"

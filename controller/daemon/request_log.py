"""Spans of requests to log events that name what the other side calls the request; other spans are handed on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from http import HTTPStatus

import structlog

from controller.spans import SILENT, Fact, Span, Tracer

log = structlog.stdlib.get_logger("gitune")


class RequestLog:
    """``onward`` is who else listens."""

    def __init__(self, onward: Tracer | None = None) -> None:
        self._onward = onward

    def span(self, name: str, facts: Mapping[str, Fact]) -> AbstractContextManager[Span]:
        """A request's is told when it ends: one that failed as an event, one that went well for those who debug."""
        inner = SILENT if self._onward is None else self._onward(name, facts)
        return _logged(inner, facts) if name == "request" else inner


class _Told:
    """What was told of one request."""

    def __init__(self, inner: Span, facts: Mapping[str, Fact]) -> None:
        self._inner = inner
        self.facts = dict(facts)

    def tell(self, **facts: Fact) -> None:
        """Kept, and handed on."""
        self.facts |= facts
        self._inner.tell(**facts)


@contextmanager
def _logged(outer: AbstractContextManager[Span], facts: Mapping[str, Fact]) -> Iterator[Span]:
    with outer as inner:
        told = _Told(inner, facts)
        yield told
    known = {name: fact for name, fact in told.facts.items() if fact not in {"", 0}}
    if told.facts.get("outcome") == "success" or told.facts.get("status") == HTTPStatus.NOT_FOUND:
        log.debug("request.done", **known)  # that something is not there is an answer like any other
    else:
        log.info("request.failed", **known)

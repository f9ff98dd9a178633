"""The OTEL_* variables of an environment to who listens to spans: the log, and OpenTelemetry where it is wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import structlog

from controller.rest import know
from controller.spans import SILENT, Fact, Span, Tracer, listen

if TYPE_CHECKING:
    from controller.daemon.otel import Telemetry

log = structlog.stdlib.get_logger("gitune")

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_HEADERS: Final = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_SPOKEN: Final = "http/protobuf"


def _with_requests(onward: Tracer | None) -> Tracer:
    """Spans to ``onward``; a request's is logged when it ends, at a level for those who debug where it went well."""

    def span(name: str, facts: Mapping[str, Fact]) -> AbstractContextManager[Span]:
        inner = SILENT if onward is None else onward(name, facts)
        return _logged(inner, facts) if name == "request" else inner

    return span


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


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Whether the environment names an endpoint, or the exporter ``otlp``, and neither switches traces off.

    The specification's default is to send to port 4318 of this machine unasked; where nobody listens that is noise.
    """
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or exporter not in {"", "otlp"}:
        if exporter not in {"", "none", "otlp"}:
            log.warning("tracing.off", said="OTEL_TRACES_EXPORTER knows otlp and none here")
        return False
    if not exporter and not any(environ.get(name) for name in _ENDPOINTS):
        return False
    protocol = next((environ[name] for name in _PROTOCOLS if environ.get(name)), _SPOKEN)
    if protocol != _SPOKEN:
        log.warning("tracing.off", said=f"OTEL_EXPORTER_OTLP_PROTOCOL is {_SPOKEN} here and nothing else")
    return protocol == _SPOKEN


@contextmanager
def tracing(environ: Mapping[str, str]) -> Iterator[None]:
    """Log requests inside of the block, and hand all spans on where that is wanted.

    Nothing that goes wrong with traces ends a daemon.
    """
    telemetry = _telemetry(environ) if is_wanted(environ) else None
    listen(_with_requests(telemetry.span if telemetry else None))
    try:
        yield
    finally:
        listen(None)
        if telemetry is not None:
            telemetry.close()


def _telemetry(environ: Mapping[str, str]) -> Telemetry | None:
    try:
        from controller.daemon.otel import Telemetry  # noqa: PLC0415 - half the start-up time, for those who ask for it
    except ImportError:
        hint = "Install the extra: pip install '.[otel]' in a checkout."
        log.warning("tracing.off", said="OpenTelemetry is not installed", hint=hint)
        return None
    for name in _HEADERS:
        for pair in environ.get(name, "").split(","):
            know(unquote(pair.partition("=")[2].strip()))
    try:
        telemetry = Telemetry(environ)
    except ValueError as error:
        log.warning(
            "tracing.off", said=f"a variable cannot be used: {error}", hint="Look at OTEL_BSP_… and the limits."
        )
        return None
    log.info("tracing.on")
    return telemetry

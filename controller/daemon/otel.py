"""Spans to OpenTelemetry, by the names of its conventions. The only importer of it; the extra ``otel`` brings it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace import SpanKind, Status, StatusCode

from controller import __version__
from controller.rest import redact
from controller.spans import Fact

_FAREWELL: Final = 1.0  # seconds: a collector that hangs keeps no daemon from its end
_LONGEST: Final = 200
# https://opentelemetry.io/docs/specs/semconv/http/http-spans/; what it has no name for is gitune's own.
_NAMES: Final = {
    "method": "http.request.method",
    "route": "url.template",
    "status": "http.response.status_code",
    "resend": "http.request.resend_count",
    "host": "server.address",
}
_UNSAID: Final = frozenset({"status", "resend"})  # 0 means that there was none
_GOOD: Final = frozenset({"success", "done"})
_CLIENTS: Final = frozenset({"request", "git.look", "git.fetch", "git.push"})


class _Told:
    """A span of ours around one of theirs."""

    def __init__(self, inner: OtelSpan) -> None:
        self._inner = inner

    def tell(self, **facts: Fact) -> None:
        """As attributes; of an outcome that is not good the status too, in one word."""
        self._inner.set_attributes(attributes(facts))
        outcome = facts.get("outcome", facts.get("result"))
        if outcome == "failed" or ("outcome" in facts and outcome not in _GOOD):
            self.fail(str(outcome))

    def fail(self, kind: str) -> None:
        """It went wrong in this way: of an exception its class and nothing of its text, which may quote anything."""
        self._inner.set_attribute("error.type", kind)
        self._inner.set_status(Status(StatusCode.ERROR))


class Telemetry:
    """Spans on their way to a collector, in a thread of its own and by the standard's variables alone."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._provider = TracerProvider(resource=_resource(environ), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("gitune", __version__)

    @contextmanager
    def span(self, name: str, facts: Mapping[str, Fact]) -> Iterator[_Told]:
        """One span, a child of the one that is open in this task."""
        kind = SpanKind.CLIENT if name in _CLIENTS else SpanKind.INTERNAL
        given = attributes(facts)
        with self._tracer.start_as_current_span(
            title(name, facts), kind=kind, attributes=given, record_exception=False, set_status_on_exception=False
        ) as inner:
            told = _Told(inner)
            try:
                yield told
            except BaseException as error:
                told.fail(type(error).__name__)
                raise

    def close(self) -> None:
        """Send what waits, for a moment."""
        last = threading.Thread(target=self._provider.shutdown, daemon=True)
        last.start()
        last.join(_FAREWELL)


def title(name: str, facts: Mapping[str, Fact]) -> str:
    """Few different ones: no title holds the name of a model."""
    match name:
        case "request":
            return f"{facts.get('method')} {facts.get('route')}"
        case "effect":
            return f"effect {facts.get('operation')}"
        case _:
            return name


def attributes(facts: Mapping[str, Fact]) -> dict[str, Fact]:
    """By their names in the conventions, texts without secrets and cut to a sane length."""
    return {
        _NAMES.get(name, f"gitune.{name}"): redact(value)[:_LONGEST] if isinstance(value, str) else value
        for name, value in facts.items()
        if value != "" and not (name in _UNSAID and value == 0)
    }


def _resource(environ: Mapping[str, str]) -> Resource:
    found = Resource.create({SERVICE_VERSION: __version__})
    named = environ.get("OTEL_SERVICE_NAME") or "service.name=" in environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return found if named else found.merge(Resource({SERVICE_NAME: "gitune"}))

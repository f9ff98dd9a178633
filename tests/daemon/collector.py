"""A collector that takes traces over OTLP/HTTP, as protobuf, and can be slow or refuse."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from tests.loopback import answering

Value = str | int | float | bool


@dataclass(frozen=True)
class Taken:
    """One span as it arrived."""

    name: str
    kind: int
    status: int
    span_id: bytes
    parent: bytes
    attributes: dict[str, Value]
    events: int
    resource: dict[str, Value]


@dataclass
class Collector:
    """``raw`` is every byte that came, headers left out; ``status`` is what is answered."""

    spans: list[Taken] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    status: int = 200
    slow: float = 0.0
    url: str = ""

    def named(self, name: str) -> list[Taken]:
        return [span for span in self.spans if span.name == name]

    def parent(self, span: Taken) -> Taken | None:
        return next((one for one in self.spans if one.span_id == span.parent), None)

    def line(self, span: Taken) -> list[str]:
        """The names from the span to its root."""
        above = self.parent(span)
        return [span.name, *(self.line(above) if above else [])]

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        for batch in request.resource_spans:
            resource = {pair.key: _value(pair.value) for pair in batch.resource.attributes}
            for scope in batch.scope_spans:
                for one in scope.spans:
                    facts = {pair.key: _value(pair.value) for pair in one.attributes}
                    about = (one.name, int(one.kind), int(one.status.code), one.span_id, one.parent_span_id)
                    self.spans.append(Taken(*about, facts, len(one.events), resource))

    @contextmanager
    def running(self) -> Iterator[Collector]:
        with answering(_handler(self)) as self.url:
            yield self


def _value(value: AnyValue) -> Value:
    kind = value.WhichOneof("value")
    found = getattr(value, kind) if kind else ""
    assert isinstance(found, str | int | float | bool)
    return found


def _handler(collector: Collector) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            collector.headers.append({name.lower(): value for name, value in self.headers.items()})
            time.sleep(collector.slow)
            if self.path == "/v1/traces" and collector.status == 200:
                collector.raw.append(body)
                collector.take(body)
            self.send_response(collector.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Silence."""

    return Handler

"""The OTEL_* variables of an environment to who listens to spans; nothing is imported for what is not wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import structlog

from controller.daemon.request_log import RequestLog
from controller.rest import know
from controller.spans import listen

if TYPE_CHECKING:
    from controller.daemon.otel import Telemetry

log = structlog.stdlib.get_logger("gitune")

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_HEADERS: Final = ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_SPOKEN: Final = "http/protobuf"


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
    listen(RequestLog(telemetry.span if telemetry else None).span)
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
        log.warning("tracing.off", said="OpenTelemetry is not installed", hint="pip install 'gitune[otel]'")
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

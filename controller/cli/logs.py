"""Log events of every library to lines on stderr that hold no secret."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from controller.cli.options import GlobalOptions, LogFormat
from controller.report.escape import terminal
from controller.rest import redact

_LONGEST = 20_000
# Their INFO lines show whole URLs, and nobody asked for their inner life.
_CHATTY = ("httpx", "httpcore", "asyncio", "git", "google", "watchfiles", "uvicorn")


def configure(asked: GlobalOptions) -> None:
    """Send structlog and the standard library's logging to stderr, as one line an event.

    Redaction is the last step of all, after every value has become text.
    """
    level = logging.DEBUG if asked.debug else logging.INFO if asked.verbose else logging.WARNING
    before: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _renderer(asked.log_format or LogFormat.CONSOLE),
                without_secrets,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # A line that cannot be written is dropped: what is printed in its place quotes its arguments, past the redaction.
    logging.raiseExceptions = False
    logging.captureWarnings(capture=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def without_secrets(_logger: object, _method: str, line: MutableMapping[str, Any] | str) -> str:
    """The finished line, as one line, without secrets and without anything a terminal would obey."""
    return terminal(redact(str(line)), _LONGEST)


def _renderer(form: LogFormat) -> structlog.typing.Processor:
    match form:
        case LogFormat.JSON:
            return structlog.processors.JSONRenderer(ensure_ascii=True)
        case LogFormat.CONSOLE:
            return _plain


def _plain(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """``time level event key=value …``."""
    head = f"{event.pop('timestamp', '')} {event.pop('level', ''):<7} {event.pop('event', '')}"
    event.pop("logger", None)
    return " ".join([head, *(f"{key}={value!r}" for key, value in event.items())])

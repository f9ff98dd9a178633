"""Results to stdout in the format that was asked for; errors, and every library's log, to stderr without a secret."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

import structlog
from rich.console import Console, RenderableType
from rich.text import Text

from controller.cli.options import Format, GlobalOptions, LogFormat
from controller.network import passwords
from controller.report.formatting import json_text, terminal
from controller.rest import know, redact

_UNFOLDED = 10_000  # nobody folds lines in a file or a pipe
_LEAST_WIDTH = 20
_LONGEST_LOG_LINE = 20_000
# Their INFO lines show whole URLs, and nobody asked for their inner life.
_CHATTY = ("httpx", "httpcore", "asyncio", "git", "google", "watchfiles", "uvicorn")


class Screen:
    """The two streams of one command: results on stdout, everything else on stderr."""

    def __init__(self, asked: GlobalOptions) -> None:
        self.format = asked.format
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a sign must not end a pass
        self.out = console(asked, sys.stdout)
        self.err = console(asked, sys.stderr)

    def show(
        self,
        text: Callable[[int], RenderableType],
        json: Callable[[], object],
        markdown: Callable[[], str] | None = None,
    ) -> None:
        """Write a result, once. Only the form that was asked for is made; text is made for a width."""
        match self.format:
            case Format.JSON:
                self.write(json_text(json()) + "\n")
            case Format.MARKDOWN if markdown is not None:
                self.write(markdown())
            case Format.TEXT | Format.MARKDOWN:
                width = self.out.width if self.out.is_terminal else 100  # a page
                self.write(rendered(self.out, text(width)))

    def write(self, text: str) -> None:
        """Text that is ready, on stdout, without anything that is or looks like a secret."""
        sys.stdout.write(redact(text))
        sys.stdout.flush()

    def tell(self, line: RenderableType) -> None:
        """Something beside the result, on stderr."""
        sys.stderr.write(redact(rendered(self.err, line)))
        sys.stderr.flush()

    def note(self, message: str) -> None:
        """A remark of one line, on stderr."""
        self.tell(Text.assemble(("note: ", "bold cyan"), terminal(message)))

    def fail(self, message: str) -> None:
        """What went wrong, in one line, on stderr."""
        self.tell(Text.assemble(("error: ", "bold red"), terminal(message)))

    @contextlib.contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """A spinner on stderr while something may take longer than a second; nothing where that is no terminal."""
        if not self.err.is_terminal or self.format is not Format.TEXT:
            yield
            return
        with self.err.status(Text(what)):
            yield


def console(asked: GlobalOptions, stream: object) -> Console:
    """A console that takes nothing in its texts for markup, and folds lines only where a person reads them."""
    is_terminal = Console(file=stream).is_terminal  # type: ignore[arg-type] # a text stream
    made = Console(
        file=stream,  # type: ignore[arg-type] # a text stream
        markup=False,
        emoji=False,
        highlight=False,
        color_system="auto" if is_terminal and not asked.colorless else None,
        width=None if is_terminal else _UNFOLDED,
    )
    made.width = max(made.width, _LEAST_WIDTH)
    return made


def rendered(target: Console, renderable: RenderableType) -> str:
    """What a console would print, without the blanks that fill its lines."""
    with target.capture() as captured:
        target.print(renderable)
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def begin(asked: GlobalOptions) -> Screen:
    """The screen of a command whose log goes to stderr from now on."""
    configure(asked)
    return Screen(asked)


def configure(asked: GlobalOptions) -> None:
    """Send structlog and the standard library's logging to stderr, as one line an event.

    Redaction is the last step of all, after every value has become text. It knows the passwords of the environment's
    proxies from here on.
    """
    for secret in passwords(os.environ):
        know(secret)
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
    return terminal(redact(str(line)), _LONGEST_LOG_LINE)


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

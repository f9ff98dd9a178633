"""The text of one document to YAML events, with depth and length capped while it is scanned, before anything is built.

The library's own composer and constructors are not used: they recurse once per level and know no limits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import Event
from ruamel.yaml.parser import Parser
from ruamel.yaml.reader import Reader
from ruamel.yaml.scanner import Scanner

from controller.documents.syntax import explain
from controller.documents.values import Limits, Spot

# What the scanner raises on some malformed escapes and directives where it should raise its own error.
_LIBRARY_SLIPS = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)


class Broken(Exception):
    """The text stops being YAML, or goes past a limit, at ``spot``."""

    def __init__(self, spot: Spot, code: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.spot = spot
        self.code = code
        self.message = message
        self.hint = hint


class _Scanner(Scanner):
    """A scanner that gives up at a limit. Its look-ahead costs the square of the depth, so the depth is capped here."""

    def __init__(self, loader: _Loader, limits: Limits) -> None:
        self.place = loader.place
        self.limits = limits
        self.left = limits.tokens
        self.brackets: list[Spot] = []
        super().__init__(loader=loader)

    def fetch_more_tokens(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise self._too_much("GT127", f"the file holds more than {self.limits.tokens:,} values and marks")
        super().fetch_more_tokens()

    def fetch_flow_collection_start(self, kind: Any, to_push: str) -> None:  # noqa: ANN401 - a token class
        self._deeper(len(self.flow_context))
        self.brackets.append(self.place(self.reader))
        super().fetch_flow_collection_start(kind, to_push=to_push)

    def fetch_flow_collection_end(self, kind: Any) -> None:  # noqa: ANN401 - a token class
        del self.brackets[-1:]
        super().fetch_flow_collection_end(kind)

    def add_indent(self, column: int) -> bool:
        self._deeper(len(self.indents))
        return bool(super().add_indent(column))

    def _deeper(self, depth: int) -> None:
        if depth > self.limits.depth:
            raise self._too_much("GT107", f"values are nested more than {self.limits.depth} levels deep")

    def _too_much(self, code: str, message: str) -> Broken:
        return Broken(self.place(self.reader), code, message, "a spec needs far less: simplify the file")


class _Loader:
    """What ties the library's reader, scanner and parser together; they look for each other under these names."""

    processing_version = (1, 2)
    comment_handling = None

    def __init__(self, text: str, first_line: int, limits: Limits) -> None:
        self._first_line = first_line
        self._resolver = self
        self._reader = Reader(text, loader=self)
        self._scanner = _Scanner(self, limits)
        self._parser = Parser(loader=self)

    @property
    def bracket(self) -> Spot | None:
        """The innermost bracket that is open where the reader is."""
        return self._scanner.brackets[-1] if self._scanner.brackets else None

    @property
    def spot(self) -> Spot:
        """How far the reader came."""
        return self.place(self._reader)

    def place(self, mark: Any) -> Spot:  # noqa: ANN401 - the library's readers and marks are untyped
        """The place in the file of anything that has a line and a column, which the library counts from 0."""
        return Spot(mark.line + self._first_line, mark.column + 1)

    def events(self) -> Iterator[Event]:
        """Every event of the text, in order."""
        while self._parser.check_event():
            yield self._parser.get_event()


def events(text: str, first_line: int, limits: Limits) -> Iterator[Event]:
    """Every event of a text that starts on a line of its file, one by one.

    Raises `Broken` where it is no YAML or goes past a limit.
    """
    loader = _Loader(text, first_line, limits)
    try:
        yield from loader.events()
    except MarkedYAMLError as error:
        fault = explain(error, loader.bracket)
        marks = (error.context_mark, error.problem_mark) if fault.opened else (error.problem_mark, error.context_mark)
        mark = next((m for m in marks if m is not None), None)
        spot = fault.spot or (loader.place(mark) if mark else loader.spot)
        raise Broken(spot, fault.code, fault.message, fault.hint) from None
    except (YAMLError, *_LIBRARY_SLIPS):
        message = "this is not valid YAML"
        raise Broken(
            loader.spot, "GT120", message, "look for a stray character on this line or the one before"
        ) from None

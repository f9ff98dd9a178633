"""One document to YAML events, with depth and length capped while it is scanned, and what is wrong with its syntax."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import Event
from ruamel.yaml.parser import Parser
from ruamel.yaml.reader import Reader
from ruamel.yaml.scanner import Scanner

from controller.documents.values import FileLimits, Spot


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of syntax error: words that appear in the library's context and problem, and how we say it.

    ``opened`` takes the place where the construct began, which says more than the end of the file.
    """

    context: str
    problem: str
    code: str
    message: str
    hint: str
    opened: bool = False


_UNCLOSED_BRACKET = "close it with ] or }, and put a comma between its items"
# The first row that fits is taken.
_KINDS = (
    _Kind("", "'\\t' that cannot start", "GT105", "a tab is used for indentation", "indent with spaces"),
    _Kind(
        "quoted scalar",
        "end of stream",
        "GT122",
        "the quote opened here is never closed",
        "add the closing quote, or double a quote that belongs to the text",
        opened=True,
    ),
    _Kind(
        "quoted scalar",
        "document separator",
        "GT122",
        "the quote opened here is never closed",
        "add the closing quote before the next ---",
        opened=True,
    ),
    _Kind("double-quoted", "", "GT129", "this escape is not known", "write \\\\ for a backslash, or use single quotes"),
    _Kind("flow", "stream end", "GT121", "the bracket opened here is never closed", _UNCLOSED_BRACKET, opened=True),
    _Kind("flow", "document", "GT121", "the bracket opened here is never closed", _UNCLOSED_BRACKET, opened=True),
    _Kind("flow", "", "GT121", "a comma or a closing bracket is missing before this", _UNCLOSED_BRACKET),
    _Kind(
        "",
        "mapping values are not allowed",
        "GT123",
        "a second ': ' on one line, or a key below a value",
        "put quotes around text that contains ': ', and check the indentation",
    ),
    _Kind(
        "simple key",
        "could not find expected ':'",
        "GT123",
        "a key without its ':'",
        "write `key: value` with a space after the colon; a key is on one line, within 1024 characters",
        opened=True,
    ),
    _Kind("", "that cannot start", "GT125", "this character cannot start a value", "put the value in quotes"),
    _Kind("anchor", "", "GT125", "& starts an anchor, which needs a name", "put the value in quotes"),
    _Kind("alias", "", "GT125", "* starts an alias, which needs a name", "put the value in quotes"),
    _Kind("tag", "", "GT111", "! starts a tag, and tags are not allowed", "remove the tag, or put the value in quotes"),
    _Kind("", "tag handle", "GT111", "tags are not allowed", "remove the tag, or put the value in quotes"),
    _Kind("directive", "", "GT117", "this directive is not allowed", "remove the line: every file is read as YAML 1.2"),
    _Kind("", "sequence entries", "GT124", "a list item is not allowed here", "put `- ` on a line of its own"),
    _Kind("", "mapping keys", "GT124", "a key is not allowed here", "put it on a line of its own"),
    _Kind(
        "block",
        "expected <block end>",
        "GT124",
        "the indentation does not fit the lines above",
        "give every key of one level the same number of spaces",
    ),
    _Kind(
        "",
        "expected '<document start>'",
        "GT124",
        "this follows a value that is already complete",
        "check the quotes and the indentation; separate documents with a line of ---",
    ),
    _Kind(
        "block scalar",
        "",
        "GT124",
        "the text block does not start as it should",
        "write | or > at the end of the line and indent the text below it",
    ),
    _Kind("", "follow up line", "GT124", "the text block is indented unevenly", "indent its first line as the others"),
)
_OTHER = _Kind("", "", "GT120", "this is not valid YAML", "look for a stray character on this line or the one before")


# What the scanner raises on some malformed escapes and directives where it should raise its own error.
_LIBRARY_SLIPS = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)


class BrokenDocument(Exception):
    """The text stops being YAML, or goes past a limit, at ``spot``."""

    def __init__(self, spot: Spot, code: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.spot, self.code, self.message, self.hint = spot, code, message, hint


class _Scanner(Scanner):
    """A scanner that gives up at a limit. Its look-ahead costs the square of the depth, so the depth is capped here."""

    def __init__(self, loader: _Loader, limits: FileLimits) -> None:
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

    def _too_much(self, code: str, message: str) -> BrokenDocument:
        return BrokenDocument(self.place(self.reader), code, message, "a spec needs far less: simplify the file")


class _Loader:
    """What ties the library's reader, scanner and parser together; they look for each other under these names."""

    processing_version = (1, 2)
    comment_handling = None

    def __init__(self, text: str, first_line: int, limits: FileLimits) -> None:
        self._first_line = first_line
        self._resolver = self
        self._reader = Reader(text, loader=self)
        self._scanner = _Scanner(self, limits)
        self.parser = Parser(loader=self)

    @property
    def brackets(self) -> list[Spot]:
        """The brackets that are open where the reader is, the innermost last."""
        return self._scanner.brackets

    @property
    def spot(self) -> Spot:
        """How far the reader came."""
        return self.place(self._reader)

    def place(self, mark: Any) -> Spot:  # noqa: ANN401 - the library's readers and marks are untyped
        """The place in the file of anything that has a line and a column, which the library counts from 0."""
        return Spot(mark.line + self._first_line, mark.column + 1)


def events(text: str, first_line: int, limits: FileLimits) -> Iterator[Event]:
    """Every event of a text that starts on a line of its file, one by one.

    Raises `BrokenDocument` where it is no YAML or goes past a limit.
    """
    loader = _Loader(text, first_line, limits)
    try:
        while loader.parser.check_event():
            yield loader.parser.get_event()
    except MarkedYAMLError as error:
        raise _explained(error, loader) from None
    except (YAMLError, *_LIBRARY_SLIPS):
        raise BrokenDocument(loader.spot, _OTHER.code, _OTHER.message, _OTHER.hint) from None


def _explained(error: MarkedYAMLError, loader: _Loader) -> BrokenDocument:
    """What to say of a syntax error, and where."""
    context, problem = str(error.context or ""), str(error.problem or "")
    kind = next((k for k in _KINDS if k.context in context and k.problem in problem), _OTHER)
    marks = (error.context_mark, error.problem_mark) if kind.opened else (error.problem_mark, error.context_mark)
    mark = next((m for m in marks if m is not None), None)
    spot, message = loader.place(mark) if mark else loader.spot, kind.message
    # Of a bracket the library says where it looked for the end, not where it began.
    if kind.code == "GT121" and loader.brackets:
        if kind.opened:
            spot = loader.brackets[-1]
        else:
            message += f" (the bracket was opened on line {loader.brackets[-1].line})"
    return BrokenDocument(spot, kind.code, message, kind.hint)

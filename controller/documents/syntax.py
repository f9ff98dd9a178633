"""A YAML library's syntax error to a place, a code, a plain message and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ruamel.yaml.error import MarkedYAMLError

from controller.documents.values import Spot


@dataclass(frozen=True, slots=True)
class _Row:
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
_ROWS = (
    _Row("", "'\\t' that cannot start", "GT105", "a tab is used for indentation", "indent with spaces"),
    _Row(
        "quoted scalar",
        "end of stream",
        "GT122",
        "the quote opened here is never closed",
        "add the closing quote, or double a quote that belongs to the text",
        opened=True,
    ),
    _Row(
        "quoted scalar",
        "document separator",
        "GT122",
        "the quote opened here is never closed",
        "add the closing quote before the next ---",
        opened=True,
    ),
    _Row("double-quoted", "", "GT129", "this escape is not known", "write \\\\ for a backslash, or use single quotes"),
    _Row("flow", "stream end", "GT121", "the bracket opened here is never closed", _UNCLOSED_BRACKET, opened=True),
    _Row("flow", "document", "GT121", "the bracket opened here is never closed", _UNCLOSED_BRACKET, opened=True),
    _Row("flow", "", "GT121", "a comma or a closing bracket is missing before this", _UNCLOSED_BRACKET),
    _Row(
        "",
        "mapping values are not allowed",
        "GT123",
        "a second ': ' on one line, or a key below a value",
        "put quotes around text that contains ': ', and check the indentation",
    ),
    _Row(
        "simple key",
        "could not find expected ':'",
        "GT123",
        "a key without its ':'",
        "write `key: value` with a space after the colon; a key stands on one line, within 1024 characters",
        opened=True,
    ),
    _Row(
        "",
        "that cannot start",
        "GT125",
        "this character cannot start a value",
        "put the value in quotes",
    ),
    _Row("anchor", "", "GT125", "& starts an anchor, which needs a name", "put the value in quotes"),
    _Row("alias", "", "GT125", "* starts an alias, which needs a name", "put the value in quotes"),
    _Row("tag", "", "GT111", "! starts a tag, and tags are not allowed", "remove the tag, or put the value in quotes"),
    _Row("", "tag handle", "GT111", "tags are not allowed", "remove the tag, or put the value in quotes"),
    _Row("directive", "", "GT117", "this directive is not allowed", "remove the line: every file is read as YAML 1.2"),
    _Row("", "sequence entries", "GT124", "a list item is not allowed here", "put `- ` on a line of its own"),
    _Row("", "mapping keys", "GT124", "a key is not allowed here", "put it on a line of its own"),
    _Row(
        "block",
        "expected <block end>",
        "GT124",
        "the indentation does not fit the lines above",
        "give every key of one level the same number of spaces",
    ),
    _Row(
        "",
        "expected '<document start>'",
        "GT124",
        "this stands behind a value that is already complete",
        "check the quotes and the indentation; separate documents with a line of ---",
    ),
    _Row(
        "block scalar",
        "",
        "GT124",
        "the text block does not start as it should",
        "write | or > at the end of the line and indent the text below it",
    ),
    _Row("", "follow up line", "GT124", "the text block is indented unevenly", "indent its first line as the others"),
)
_OTHER = _Row("", "", "GT120", "this is not valid YAML", "look for a stray character on this line or the one before")


@dataclass(frozen=True, slots=True)
class Fault:
    """What to say of an error. ``spot`` is known where a bracket is to blame; ``opened``: point at its beginning."""

    code: str
    message: str
    hint: str
    opened: bool
    spot: Spot | None = None


def explain(error: MarkedYAMLError, bracket: Spot | None) -> Fault:
    """The code, message and hint for one error.

    ``bracket`` is the innermost one still open: the library says where it looked for its end, not where it began.
    """
    context, problem = str(error.context or ""), str(error.problem or "")
    row = next((r for r in _ROWS if r.context in context and r.problem in problem), _OTHER)
    fault = Fault(row.code, row.message, row.hint, row.opened)
    if bracket is None or row.code != "GT121":
        return fault
    if row.opened:
        return replace(fault, spot=bracket)
    return replace(fault, message=f"{row.message} (the bracket was opened on line {bracket.line})")

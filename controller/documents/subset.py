"""YAML as specs are mostly written to the values of its documents and the lines they start on; None for other YAML.

Block mappings and lists, one-line flow collections, quoted and plain one-line scalars, text blocks, comments. What is
taken here means the same to every reader of YAML 1.2, and has no key without a value; the rest is left to others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias, cast

from controller.documents.values import FileLimits, NumberRefused, Path, Spot, Value, resolve

_NESTED: Final = 12  # block collections in each other, and as many flow collections in the innermost
_REMEMBERED: Final = 120  # characters of a line: longer ones seldom come twice
_KEY = r"[A-Za-z_][A-Za-z0-9_./-]{0,127}"
# Characters that are told by the ASCII ones that are not among them: a class with the letters of all languages takes
# ten times as long to compile. What cannot be printed is looked for in the whole text.
_START = r"[^ !\"#$%&'*,:;<=>?@\[\]\\^`{|}"
_COMMENT = r" *(?:(?<= )#.*)?"
_WORD = r"(?:[^ :]|:(?=[^ ]))*"
_FLOW_WORD = r"[^ !\"#$%&',:;<>?\[\]\\^`{|}]*"
_DOUBLE = r'"((?:[^"\\]|\\["\\nt])*)"'
_SINGLE = r"'((?:[^']|'')*)'"
_FLOW_PLAIN = rf"((?:{_START}()+~-]|[-+](?=[0-9.])){_FLOW_WORD}(?: +{_START})+~-]{_FLOW_WORD})*)"

_LINE = re.compile(rf"( *)(- +)?(?:({_KEY}):(?= |\Z) *)?(.*)")
_PLAIN = re.compile(rf"((?:{_START})-]|-(?=[A-Za-z0-9.])){_WORD}(?: +[^ #:]{_WORD})*){_COMMENT}")
_QUOTED = re.compile(f"(?:{_DOUBLE}|{_SINGLE}){_COMMENT}")
_BLOCK = re.compile("([|>]-?) *")
_FLOW_SCALAR = re.compile(rf"(?:{_DOUBLE}|{_SINGLE}|{_FLOW_PLAIN}) *(?=[\],}}])")
_FLOW_KEY = re.compile(rf'(?:({_KEY})|"([^"\\]{{1,127}})"): +')
_AFTER_FLOW = re.compile(_COMMENT)
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED: Final = {"n": "\n", "t": "\t"}
_ENDS: Final = {"[": "]", "{": "}"}

_Collection: TypeAlias = "list[Value] | dict[str, Value]"


class _Doubt(Exception):
    """This may mean something else than it seems to."""


class _Line(NamedTuple):
    """A line by itself.

    ``pair_at`` is the column of a key with a scalar behind it, -1 on other lines. Those have an ``indent``, their key
    (which may be behind a dash) or list item at the column ``start``, and its value at the column ``at``. ``block`` is
    the head of a text block; a key that has neither that nor a value ``opens`` a collection.
    """

    pair_at: int
    key: str
    value: Value
    indent: int
    start: int
    at: int
    opens: bool = False
    block: str = ""


_SKIPPED: Final = _Line(-1, "", None, -1, -1, -1)
_MARKER: Final = _Line(-1, "", None, -2, -2, -2)
_NOWHERE: Final[tuple[int, dict[str, Value]]] = -2, {}  # no pair stands at this column


class Found(NamedTuple):
    """A document's value, and the line that its first key is on."""

    value: Value
    line: int


def read(text: str, limits: FileLimits) -> tuple[Found, ...] | None:
    """The documents of a text whose lines end in line feeds; None where the careful reader has to look.

    No document is empty, and none has a problem.
    """
    if len(text) > _most(limits) or not text.replace("\n", " ").isprintable():
        return None
    reading = _Reading(text.split("\n"))
    try:
        reading.read()
    except _Doubt:
        return None
    return tuple(reading.found) if 0 < len(reading.found) <= limits.documents else None


@lru_cache(maxsize=8)
def _most(limits: FileLimits) -> int:
    """The characters a text may have so that no limit can be reached: two make a value, and a mark has one at least."""
    if limits.depth < 2 * _NESTED + 1:
        return -1
    return min(limits.size // 4, limits.line, limits.scalar, limits.nodes, limits.tokens // 4)


class _Reading:
    """The documents of one text while its lines are taken in.

    ``_open`` are the collections that the next line may go on with, each with the column its entries stand at;
    ``_key`` is the key of the innermost one that waits for what the next line says.
    """

    def __init__(self, lines: list[str]) -> None:
        self.found: list[Found] = []
        self._lines = lines
        self._open: list[tuple[int, _Collection]] = []
        self._key = ""

    def read(self) -> None:
        """All lines. Raises `_Doubt`."""
        at, pairs = _NOWHERE
        for number, raw in enumerate(self._lines, 1):
            line = _known(raw) if len(raw) <= _REMEMBERED else _line(raw)
            if line[0] == at and line[1] not in pairs:  # by far the most: one more pair of the mapping that is open
                pairs[line[1]] = line[2]
            elif line is not _SKIPPED:
                at, pairs = self._take(line, number)
        self._close()

    def _take(self, line: _Line, number: int) -> tuple[int, dict[str, Value]]:
        """One line, to the column where the next may stand that adds a pair to a mapping, and that mapping."""
        if line is _MARKER:
            self._close()
            return _NOWHERE
        _, key, value, indent, start, _, opens, block = line
        entries = self._entries(indent, is_item=start > indent) if self._open else self._begin(line, number)
        if isinstance(entries, list):
            if not key:
                entries.append(_own(value))
                return _NOWHERE
            behind_dash: dict[str, Value] = {}
            entries.append(behind_dash)
            self._enter(start, behind_dash)
            entries = behind_dash
        if not key or key in entries:
            raise _Doubt
        if opens:
            entries[key], self._key = None, key
            return _NOWHERE
        entries[key] = self._text(line, number) if block else _own(value)
        return start, entries

    def _close(self) -> None:
        if self._key:
            raise _Doubt  # no value
        self._open = []

    def _begin(self, line: _Line, number: int) -> dict[str, Value]:
        if line.start or not line.key:
            raise _Doubt
        value: dict[str, Value] = {}
        self.found.append(Found(value, number))
        self._open.append((0, value))
        return value

    def _entries(self, indent: int, *, is_item: bool) -> _Collection:
        """The collection that a line is an entry of."""
        at, top = self._open[-1]
        key, self._key = self._key, ""
        # The items of a list may stand below their key as well as behind it.
        if key and (indent > at or (indent == at and is_item)):
            inner: _Collection = [] if is_item else {}
            cast("dict[str, Value]", top)[key] = inner  # only a mapping's key waits
            self._enter(indent, inner)
            return inner
        if key:
            raise _Doubt  # no value
        while indent < at or (indent == at and not is_item and isinstance(top, list)):
            self._open.pop()
            if not self._open:
                raise _Doubt
            at, top = self._open[-1]
        if indent != at or (is_item and isinstance(top, dict)):
            raise _Doubt
        return top

    def _enter(self, at: int, inner: _Collection) -> None:
        if len(self._open) >= _NESTED:
            raise _Doubt
        self._open.append((at, inner))

    def _text(self, line: _Line, number: int) -> str:
        """The text block below the line of that number. Its lines are left blank."""
        lines, indent = self._lines, 0
        taken: list[str] = []
        for at in range(number, len(lines)):
            raw = lines[at]
            content = raw.lstrip(" ")
            stands = len(raw) - len(content)
            indent = indent or stands
            if content and stands <= line.start:
                break
            # Blanks alone: which of them count is easily got wrong. Without a line feed at the end, the text has none.
            if raw and (not content or stands < indent or at == len(lines) - 1):
                raise _Doubt
            taken.append(raw[indent:])
            lines[at] = ""
        if not taken or not taken[0]:
            raise _Doubt
        while not taken[-1]:
            taken.pop()
        text = "\n".join(taken) if line.block[0] == "|" else _folded(taken)
        return text if line.block.endswith("-") else f"{text}\n"


def _folded(lines: Sequence[str]) -> str:
    text = lines[0]
    breaks = 0
    for line in lines:
        if line.startswith(" ") or line.endswith(" "):
            raise _Doubt
    for line in lines[1:]:
        if not line:
            breaks += 1
            continue
        text += ("\n" * breaks or " ") + line
        breaks = 0
    return text


def _own(value: Value) -> Value:
    """The value, where nobody else can change it: lines are remembered."""
    if isinstance(value, (str, int, float)):
        return value
    if isinstance(value, dict):
        return {k: _own(v) for k, v in value.items()}
    return [_own(v) for v in value] if isinstance(value, list) else value


def _line(raw: str) -> _Line:
    """What a line says, wherever it stands outside a text block. Raises `_Doubt`."""
    match = _LINE.fullmatch(raw)
    if match is None:
        raise _Doubt
    blanks, dash, key, rest = match.groups("")
    is_empty = not rest or rest[0] == "#"
    if is_empty and not dash and not key:
        return _SKIPPED
    if raw.rstrip(" ") == "---":
        return _MARKER
    if not key and (not dash or is_empty):
        raise _Doubt
    if key and not isinstance(resolve(key), str):
        raise _Doubt
    indent, start, at = len(blanks), len(blanks) + len(dash), match.start(4)
    if is_empty:
        return _Line(-1, key, None, indent, start, at, opens=True)
    if key and (head := _BLOCK.fullmatch(rest)):
        return _Line(-1, key, None, indent, start, at, block=head[1])
    value = _value(rest)
    is_pair = key and not dash and not isinstance(value, (dict, list))
    return _Line(indent if is_pair else -1, key, value, indent, start, at)


_known = lru_cache(maxsize=1 << 12)(_line)  # most lines of a spec stand in the others too


def _meant(raw: str) -> _Line:
    return _known(raw) if len(raw) <= _REMEMBERED else _line(raw)


def _value(rest: str) -> Value:
    """A value that fills the rest of its line, but for a comment."""
    match rest[0]:
        case '"' | "'":
            if (quoted := _QUOTED.fullmatch(rest)) is None:
                raise _Doubt
            return _unquoted(quoted[1], quoted[2])
        case "[" | "{":
            value, end = _flow(rest, 0, _NESTED)
            if _AFTER_FLOW.fullmatch(rest, end) is None:
                raise _Doubt
            return value
        case _:
            if (plain := _PLAIN.fullmatch(rest)) is None:
                raise _Doubt
            return _resolved(plain[1])


def _resolved(text: str) -> Value:
    try:
        value = resolve(text)
    except NumberRefused:
        raise _Doubt from None
    if value is None:
        raise _Doubt
    return value


def _unquoted(double: str | None, single: str) -> str:
    if double is None:
        return single.replace("''", "'")
    return _ESCAPE.sub(lambda m: _ESCAPED.get(m[1], m[1]), double) if "\\" in double else double


def _flow(text: str, at: int, left: int) -> tuple[Value, int]:
    """The value that starts at a place inside a flow collection, and where it ends."""
    if text[at : at + 1] not in _ENDS:
        if (scalar := _FLOW_SCALAR.match(text, at)) is None:
            raise _Doubt
        double, single, plain = scalar.groups()
        return (_unquoted(double, single) if plain is None else _resolved(plain)), scalar.end()
    if not left:
        raise _Doubt
    end = _ENDS[text[at]]
    pairs: dict[str, Value] = {}
    items: list[Value] = []
    at = _behind_blanks(text, at + 1)
    while text[at : at + 1] != end:
        if pairs or items:
            if text[at : at + 1] != ",":
                raise _Doubt
            at = _behind_blanks(text, at + 1)
        key, at = _flow_key(text, at, pairs) if end == "}" else ("", at)
        value, at = _flow(text, at, left - 1)
        at = _behind_blanks(text, at)
        if end == "}":
            pairs[key] = value
        else:
            items.append(value)
    return (pairs if end == "}" else items), at + 1


def _flow_key(text: str, at: int, known: dict[str, Value]) -> tuple[str, int]:
    match = _FLOW_KEY.match(text, at)
    if match is None:
        raise _Doubt
    plain, quoted = match.groups()
    key: str = quoted if plain is None else plain
    if key in known or (plain is not None and not isinstance(resolve(plain), str)):
        raise _Doubt
    return key, match.end()


def _behind_blanks(text: str, at: int) -> int:
    while text[at : at + 1] == " ":
        at += 1
    return at


def find(text: str, first: int, path: Path) -> Spot | None:
    """Where a value below keys of block mappings stands, in the document that starts on a line of a text that was read.

    None where that takes more than to look at its lines.
    """
    lines = text.split("\n")
    number, indent, in_list = first - 1, 0, False
    for step in path:
        found = None if in_list else _key_line(lines, number, indent, step)
        if found is None:
            return None
        number, line = found
        if line.opens:
            number, line = _below(lines, number)
            indent, in_list = line.indent, line.start > line.indent
        else:
            indent, in_list = line.at, True  # one value, or a flow collection
    return Spot(number + 1, indent + 1)


def _key_line(lines: Sequence[str], number: int, indent: int, key: str | int) -> tuple[int, _Line] | None:
    """The line of a key, among those of the mapping that starts on a line."""
    start = f"{key}:"
    for at in range(number, len(lines)):
        raw = lines[at]
        if not raw.startswith(start, indent):
            content = raw.lstrip(" ")
            if (content and content[0] != "#" and len(raw) - len(content) < indent) or content.startswith("---"):
                return None
            continue
        line = _meant(raw)
        return (at, line) if line.key == key and line.start == indent else None
    return None


def _below(lines: Sequence[str], number: int) -> tuple[int, _Line]:
    """The line that begins the collection which a line opens: each does, or the text had not been read."""
    return next((at, line) for at in range(number + 1, len(lines)) if (line := _meant(lines[at])) is not _SKIPPED)

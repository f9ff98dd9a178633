"""Chunks of a JSON Lines file to blocks of values, each with its line, in memory that does not grow with the file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from controller.dataset.problems import BLANK_LINE, Fault, Findings, Unusable, carriage_return, not_utf8
from controller.dataset.rows import LONGEST, TOO_LONG, Block, Layout
from controller.dataset.strict_json import BLANK, DEPTH, parse, skip_blank, too_deep

_PIECE = 1 << 20  # bytes that are split into lines at once
_WIDEST = 4  # bytes of one character
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_UNEVEN = frozenset((b"b", b"f", b"u"))  # what is escaped so may be a control character, or half of a surrogate pair


def read_json_lines(chunks: Iterable[bytes], layout: Layout, findings: Findings) -> Iterator[Block]:
    """Every row that could be read, in blocks; what could not is in the findings."""
    reader = _Lines(layout, findings)
    for piece in _pieces(chunks):
        block = reader.block(piece)
        if block is None:
            return
        yield block


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Whole lines, their last line break taken off. Of a line that is too long anyway only the beginning is kept."""
    rest: list[bytes] = []
    size = 0
    for chunk in chunks:
        for at in range(0, len(chunk), _PIECE):
            part = chunk[at : at + _PIECE]
            end = part.rfind(b"\n")
            if end >= 0:
                yield b"".join((*rest, part[:end]))
                rest, size = [part[end + 1 :]], len(part) - end - 1
            elif size <= _WIDEST * LONGEST:
                rest.append(part)
                size += len(part)
    if last := b"".join(rest):
        yield last


class _Lines:
    """The lines of one file, counted."""

    def __init__(self, layout: Layout, findings: Findings) -> None:
        self._layout = layout
        self._findings = findings
        self._line = 0
        self._blank = 0  # how many of the last lines are blank: nothing is wrong with those at the end
        self._decode = msgspec.json.Decoder().decode
        self._decode_texts = msgspec.json.Decoder(dict[str, str]).decode

    def block(self, piece: bytes) -> Block | None:
        """The rows of some lines; None where reading ends."""
        lines = piece.split(b"\n")
        if not self._line and (fault := _not_json_lines(lines[0], self._layout)):
            self._findings.add(fault, 1)
            return None
        escapes = _ESCAPE.findall(piece)
        is_even = _UNEVEN.isdisjoint(escapes)
        is_plain = is_even and piece.isascii() and b"\x7f" not in piece
        quotes = piece.count(b'"') - escapes.count(b'"')
        values = self._texts_alone(lines, quotes)
        if values is None:
            return self._one_by_one(lines, is_plain)
        if self._blank:
            self._note_blank(self._line + 1)
        numbers = list(range(self._line + 1, self._line + 1 + len(lines)))
        self._line += len(lines)
        return Block(numbers, values, is_plain, is_flat=True)

    def _texts_alone(self, lines: list[bytes], quotes: int) -> list[object] | None:
        """The rows, where each line is an object of texts and nothing else, by a reader that is fast and not strict.

        It lets a key be given twice. Then there are more quotes in the lines than around the keys and texts of what it
        made of them, and never fewer; None stands for that and whatever else is in doubt.
        """
        decode = self._decode_texts
        try:
            values = [decode(line) for line in lines]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if 4 * sum(map(len, values)) != quotes or max(map(len, lines)) > LONGEST:
            return None
        return list(values)

    def _one_by_one(self, lines: list[bytes], is_plain: bool) -> Block:  # noqa: FBT001 - as the block's field
        """The rows of lines that are not all objects of texts."""
        values: list[object] = []
        numbers: list[int] = []
        decode, number = self._decode, self._line
        for line in lines:
            number += 1
            try:
                value = decode(line)
                sure = _is_sure(line, value)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                sure = False
            if not sure:
                found = self._judged(line, number)
                if found is None:
                    continue
                (value,) = found
            if self._blank:
                self._note_blank(number)
            values.append(value)
            numbers.append(number)
        self._line = number
        return Block(numbers, values, is_plain)

    def _judged(self, line: bytes, number: int) -> tuple[object] | None:
        """The value of a line that is not read at first sight; None where there is none, with the reason noted."""
        if not line.strip(BLANK.encode()):
            self._blank += 1
            return None
        if self._blank:
            self._note_blank(number)
        found = _value(line, number, self._layout)
        if isinstance(found, Fault):
            self._findings.add(found, number, found.offset + 1)
            return None
        return found

    def _note_blank(self, number: int) -> None:
        self._findings.add(BLANK_LINE, number - self._blank, until=number - 1)
        self._blank = 0


def _is_sure(line: bytes, value: object) -> bool:
    """Whether a strict reader would say the same of a line that is an object: no key twice, and not too deep."""
    if type(value) is not dict or len(line) > LONGEST:
        return False
    quotes = line.count(b'"')
    if b"\\" in line:
        quotes -= _ESCAPE.findall(line).count(b'"')
    for one in value.values():
        if type(one) is not str:
            brackets = line.count(b"{") + line.count(b"[")
            return brackets <= DEPTH and quotes == 2 * _texts(value)
    return quotes == 4 * len(value)


def _texts(value: object) -> int:
    """How many keys and texts are in a value."""
    if type(value) is str:
        return 1
    if type(value) is dict:
        return len(value) + sum(map(_texts, value.values()))
    return sum(map(_texts, value)) if type(value) is list else 0


def _value(line: bytes, number: int, layout: Layout) -> tuple[object] | Fault:
    if len(line) > _WIDEST * LONGEST:
        return TOO_LONG
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise Unusable(not_utf8(len(line[: error.start].decode())), number) from None
    if len(text) > LONGEST:
        return TOO_LONG
    if fault := too_deep(text):
        return fault
    parsed = parse(text, skip_blank(text, 0), layout.columns)
    if isinstance(parsed, Fault):
        return _in_a_line(parsed, text)
    value, end = parsed
    if (after := skip_blank(text, end)) < len(text):
        return _more(text, end, after)
    return (value,)


def _in_a_line(fault: Fault, line: str) -> Fault:
    if fault.code != "GT265":
        return fault
    hint = "write each object on one line of its own (jq -c . FILE does), without line breaks inside"
    return Fault(fault.code, "the JSON ends before it is complete", hint, min(fault.offset, len(line)))


def _more(line: str, end: int, after: int) -> Fault:
    if "\r" in line[end:after]:
        return carriage_return(end)
    if line[after] == ",":
        hint = "JSON Lines has no commas between objects: remove it"
    elif line[after] == "{":
        hint = "write each object on a line of its own"
    else:
        hint = "a line holds one object and nothing else"
    return Fault("GT266", "more text follows the object", hint, after)


def _not_json_lines(line: bytes, layout: Layout) -> Fault | None:
    first = line.decode(errors="replace").strip(BLANK)
    # Lines that are arrays of texts are judged line by line; an array of objects is another format.
    if first.startswith("[") and not (first.endswith("]") and "{" not in first):
        return Fault(
            "GT245",
            "the file is one JSON array, not JSON Lines",
            "name it .json, set dataset.format: json, or write one object a line (jq -c '.[]' FILE)",
        )
    if first == "{" or (first.startswith("{") and first.endswith(",") and not first.endswith("},")):
        hint = "write each object on one line of its own: jq -c . FILE"
        return Fault("GT245", "the file holds objects written over several lines, not JSON Lines", hint)
    if first[:1] not in ("{", "[") and all(name in first for name in layout.columns):
        return Fault("GT245", "the file looks like CSV, not JSON Lines", "name it .csv or set dataset.format: csv")
    return None

"""A YAML file's bytes to its documents, each value with its place, and every problem of every document."""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from controller.documents.composing import Composition
from controller.documents.events import BrokenDocument, events
from controller.documents.values import LIMITS, Document, FileLimits, Parsed, Places, Spot
from controller.errors import Problem, Severity

_WIDE = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CONTROL = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff"
_INVISIBLE = r"\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060\u2066-\u2069\ufeff"
_UNFIT = re.compile(f"[{_CONTROL}{_INVISIBLE}]")
_IS_CONTROL = re.compile(f"[{_CONTROL}]")
_MARKER = re.compile(r"^(?:---|\.\.\.)(?=[ \t\n]|\Z)", re.MULTILINE)
_EMPTY_MARKER = re.compile(r"---(?:[ \t]+#.*)?")
_CONFLICT = re.compile(r"^(?:<{7}|>{7})(?=[ \n]|\Z)", re.MULTILINE)
_TOO_LONG = "a spec needs a few hundred bytes: put data into a dataset file of its own"
_REPORTED = 10  # of one kind in one file: the eleventh says nothing new


@dataclass(frozen=True, slots=True)
class Chunk:
    """The text of one document, its ``---`` included; ``line`` is the file's line its first character is on."""

    text: str
    line: int
    problems: tuple[Problem, ...] = ()


def read_text(data: bytes, file: str, limits: FileLimits) -> tuple[str | None, tuple[Problem, ...]]:
    """The decoded text, its lines ended by line feeds; None where the file cannot be read as text at all."""
    if len(data) > limits.size:
        message = f"the file has {len(data):,} bytes, more than {limits.size:,}"
        return None, (_problem(file, (1, 1), "GT106", message, _TOO_LONG),)
    if data.startswith(_WIDE):
        message = "the file is UTF-16 or UTF-32 text"
        return None, (_problem(file, (1, 1), "GT101", message, "save it as UTF-8"),)
    problems: tuple[Problem, ...] = ()
    if data.startswith(codecs.BOM_UTF8):
        data = data[len(codecs.BOM_UTF8) :]
        hint = "save it as UTF-8 without a byte-order mark"
        problems = (Problem(file, 1, 1, "GT104", "the file starts with a byte-order mark", Severity.WARNING, hint),)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        return None, (*problems, _undecodable(data, file, error))
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > limits.line:
            message = f"the line has {len(line):,} characters, more than {limits.line:,}"
            return None, (*problems, _problem(file, (number, 1), "GT115", message, _TOO_LONG))
    return text, problems


def _undecodable(data: bytes, file: str, error: UnicodeDecodeError) -> Problem:
    before = data[: error.start].decode()
    place = (before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)
    message = f"byte 0x{data[error.start]:02x} is not valid UTF-8"
    return _problem(file, place, "GT101", message, "save the file as UTF-8")


def split(text: str, file: str) -> Iterator[Chunk]:
    """The documents of a text, cut at lines that start with ``---`` or ``...``.

    YAML 1.2 forbids such lines inside a document (c-forbidden, 9.1.2), so a broken document cannot swallow the next.
    """
    carried: tuple[Problem, ...] = ()
    line, counted = 1, 0
    for start, end in _spans(text):
        body = text[start:end]
        line, counted = line + text.count("\n", counted, start), start
        if not _has_content(body):
            continue
        if _only_directives(body):
            carried = tuple(_directives(body, file, line))
            continue
        cleaned, found = _clean(body, file, line)
        yield Chunk(cleaned, line, carried + found)
        carried = ()
    if carried:
        yield Chunk("", line, carried)


def _spans(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for match in _MARKER.finditer(text):
        if match.start() > start:
            yield start, match.start()
        start = match.start() if match.group() == "---" else match.end()
    yield start, len(text)


def _lines_of_content(body: str) -> Iterator[str]:
    return (s for line in body.split("\n") if (s := line.strip(" \t")) and not s.startswith("#"))


def _has_content(body: str) -> bool:
    return any(not _EMPTY_MARKER.fullmatch(line) for line in _lines_of_content(body))


def _only_directives(body: str) -> bool:
    return all(line.startswith("%") for line in _lines_of_content(body))


def _directives(body: str, file: str, first: int) -> Iterator[Problem]:
    for number, line in enumerate(body.split("\n"), first):
        if line.startswith("%") and line.split("#")[0].split() != ["%YAML", "1.2"]:
            hint = "remove the line: every file is read as YAML 1.2"
            yield _problem(file, (number, 1), "GT117", "a directive other than %YAML 1.2 is not allowed", hint)


def _clean(body: str, file: str, first: int) -> tuple[str, tuple[Problem, ...]]:
    """The text with unfit characters replaced, so that what else is wrong can be found, and a problem for each."""
    found = [m.start() for _, m in zip(range(_REPORTED), _UNFIT.finditer(body), strict=False)]
    problems = [_unfit(body, position, file, first) for position in found]
    for _, match in zip(range(1), _CONFLICT.finditer(body), strict=False):
        place = (first + body.count("\n", 0, match.start()), 1)
        hint = "finish the merge: keep one side and remove the marker lines"
        problems.append(_problem(file, place, "GT126", "the file has the markers of an unfinished merge", hint))
    return (_UNFIT.sub("\ufffd", body) if found else body), tuple(problems)


def _unfit(body: str, position: int, file: str, first: int) -> Problem:
    character = body[position]
    line_start = body.rfind("\n", 0, position) + 1
    place = (first + body.count("\n", 0, position), position - line_start + 1)
    number = f"U+{ord(character):04X}"
    if _IS_CONTROL.match(character):
        return _problem(file, place, "GT102", f"the control character {number} is not allowed", "remove it")
    name = unicodedata.name(character, "an invisible character")
    return _problem(file, place, "GT103", f"the invisible character {number} ({name}) is not allowed", "remove it")


def _problem(file: str, place: tuple[int, int], code: str, message: str, hint: str) -> Problem:
    return Problem(file, *place, code, message, hint=hint)


def parse(data: bytes, file: str, limits: FileLimits = LIMITS) -> Parsed:
    """The documents of one file, read as YAML 1.2. Whatever the bytes, nothing is raised.

    A broken document keeps what came before the break (``whole`` False) and does not hide the ones after it. A file
    that is not text at all has no documents and a problem.
    """
    text, problems = read_text(data, file, limits)
    if text is None:
        return Parsed((), problems)
    documents: list[Document] = []
    for number, chunk in enumerate(split(text, file)):
        if number >= limits.documents:
            message = f"the file holds more than {limits.documents} documents"
            problems += (Problem(file, chunk.line, 1, "GT116", message, hint="spread them over several files"),)
            break
        documents.append(_document(chunk, file, limits))
    found = (p for d in documents for p in d.problems)
    return Parsed(tuple(documents), tuple(sorted((*problems, *found))))


def _document(chunk: Chunk, file: str, limits: FileLimits) -> Document:
    composition = Composition(file, chunk.line, limits)
    problems = list(chunk.problems)
    whole = True
    try:
        composition.feed(events(chunk.text, chunk.line, limits))
    except BrokenDocument as broken:
        whole = False
        # The markers of an unfinished merge break the text in ways not worth telling.
        if not any(p.code == "GT126" for p in problems):
            spot = broken.spot
            problems.append(Problem(file, spot.line, spot.column, broken.code, broken.message, hint=broken.hint))
    problems.extend(composition.problems)
    return Document(
        composition.value,
        file,
        composition.places.get((), Spot(chunk.line, 1)),
        Places(composition.places, composition.keys),
        tuple(sorted(problems)),
        whole,
    )

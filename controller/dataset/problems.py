"""What can be wrong with a dataset: each code with its severity, and faults of many rows gathered to few problems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from controller.errors import Problem, ProblemCode, Severity

_error = partial(ProblemCode, Severity.ERROR)
_fixed = partial(ProblemCode, Severity.ERROR, fixed=True)  # rows are missing, or the service would refuse them
_warning = partial(ProblemCode, Severity.WARNING)
_advice = partial(ProblemCode, Severity.ADVICE)

CODES: Mapping[str, ProblemCode] = MappingProxyType(
    {
        # what the examples say
        "GT201": _fixed("the file holds no examples"),
        "GT202": _error("an input or an output is empty or blank"),
        "GT203": _error("fewer than 20 examples"),
        "GT204": _advice("fewer examples than the guide advises for this kind of task"),
        "GT205": _advice("more examples than the guide advises for this kind of task"),
        "GT206": _error("an input is longer than 40,000 characters"),
        "GT207": _error("an output is longer than 5,000 characters, or than the provider learns"),
        "GT208": _error("the examples together are more than the provider takes in one request"),
        "GT209": _warning("an example is in the file twice"),
        "GT210": _warning("one input has two different outputs"),
        "GT211": _warning("an input of the evaluation set is also trained on"),
        "GT212": _warning("the inputs are not all built in the same way"),
        "GT213": _advice("there is white space before or after some texts only"),
        "GT214": _warning("a text holds control characters"),
        "GT215": _fixed("a text holds a NUL character"),
        "GT216": _warning("a text holds the replacement character that a failed conversion leaves"),
        "GT217": _warning("every example has the same output"),
        "GT218": _warning("two labels of a classification differ only in case, white space or encoding"),
        "GT219": _error("the evaluation set asks for a label that is never trained on"),
        "GT220": _warning("the evaluation set asks for an answer that is never trained on"),
        "GT221": _warning("an answer of the evaluation set is longer than the provider gives"),
        "GT222": _warning("a column that holds text is not used"),
        "GT223": _error("an Alpaca row's instruction or input is not used"),
        "GT224": _warning("a text holds a character that cannot be seen"),
        "GT225": _warning("letters and their accents are written apart (not in Unicode's NFC)"),
        # hyperparameters, with the number of examples in mind
        "GT231": _advice("epochCount is far from what the guide starts with"),
        "GT232": _advice("batchSize does not suit the number of examples"),
        "GT233": _advice("the learning rate is high for so few examples"),
        "GT234": _advice("the learning rate is far from what the guide starts with"),
        "GT235": _advice("the run takes very many steps"),
        "GT236": _advice("the run takes very few steps"),
        # how the file is written
        "GT240": _fixed("the format of the file is not known"),
        "GT241": _fixed("the file is a Git LFS pointer, not the data"),
        "GT242": _fixed("the file is UTF-16 or UTF-32"),
        "GT243": _fixed("the file is not valid UTF-8"),
        "GT244": _warning("the file begins with a byte-order mark"),
        "GT245": _fixed("the file holds another format than its name or spec says"),
        "GT246": _fixed("the text is not valid JSON"),
        "GT247": _fixed("there is a comma before the end of an object or array"),
        "GT248": _fixed("a key is given twice in one object"),
        "GT249": _fixed("NaN and Infinity are not JSON"),
        "GT250": _fixed("a text holds half of a surrogate pair"),
        "GT251": _fixed("an example is not a JSON object"),
        "GT252": _fixed("an example lacks a column"),
        "GT253": _fixed("a column holds something else than text"),
        "GT254": _fixed("the JSON is nested too deep"),
        "GT255": _fixed("one example is longer than 1,000,000 characters"),
        "GT256": _fixed("the file has more than 2,000,000 examples"),
        "GT257": _warning("there is a blank line between examples"),
        "GT258": _fixed("the CSV header lacks a column"),
        "GT259": _fixed("the CSV header names a column twice"),
        "GT260": _fixed("a CSV row has more or fewer fields than the header"),
        "GT261": _fixed("a quote is not closed"),
        "GT262": _fixed("there is a quote where CSV allows none"),
        "GT263": _fixed("the CSV is separated by something else than commas"),
        "GT264": _fixed("lines end in a carriage return alone"),
        "GT265": _fixed("the JSON ends too early"),
        "GT266": _fixed("more text follows where one JSON value should end"),
        "GT267": _fixed("the file is compressed or binary"),
        "GT268": _fixed("a conversation holds something that is not sent: tool calls, images, names"),
        "GT269": _fixed("the file is larger than can be read of its format"),
        "GT270": _fixed("the turns of a conversation are not those of a user and the model, one after the other"),
        "GT271": _fixed("an example is a preference pair"),
        "GT272": _fixed("the rows do not all have the one shape of the file"),
        "GT273": _fixed("a conversation says otherwise than the spec which turns are learned"),
        "GT274": _fixed("the provider takes no conversations of several turns, or not with these turns learned"),
        "GT275": _fixed("the provider takes no system message"),
        "GT276": _fixed("a compressed file unfolds to too much"),
        "GT277": _fixed("a compressed file, a workbook or a Parquet file is damaged"),
        "GT278": _fixed("a library that reads the format is not installed"),
        "GT279": _fixed("a workbook has several sheets, or not the one that the spec names"),
        "GT280": _fixed("a row group of a Parquet file is larger than 64 MB"),
    }
)


_LINES_NAMED = 5  # so many lines are named; the rest is counted


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong. ``offset`` counts characters from the start of the text that was looked at.

    ``message`` and ``hint`` never hold text of a row: columns, counts and kinds only.
    """

    code: str
    message: str
    hint: str = ""
    offset: int = 0


BLANK_LINE = Fault("GT257", "there is a blank line between examples", "remove it")


class Unusable(Exception):
    """What a file is holds no text at all: whatever else was found in it means nothing."""

    def __init__(self, fault: Fault, line: int = 1) -> None:
        super().__init__(fault.code)
        self.fault = fault
        self.line = line


class Lines:
    """Line numbers that rise: how many, and the first few of them, which is all that is ever said."""

    __slots__ = ("count", "first", "last")

    def __init__(self) -> None:
        self.first: list[int] = []
        self.count = 0
        self.last = -1

    def __bool__(self) -> bool:
        """Whether there is any."""
        return self.count > 0

    def add(self, line: int, until: int | None = None) -> None:
        """One more, or all until another one. A line that is there already counts once."""
        end = line if until is None else until
        line = max(line, self.last + 1)
        if line > end:
            return
        room = _LINES_NAMED + 1 - len(self.first)
        self.first.extend(range(line, min(end + 1, line + room)))
        self.count += end - line + 1
        self.last = end


class Findings:
    """Faults gathered by kind, in the order of the lines on which the kinds were first met."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._places: dict[tuple[str, str, str], tuple[int, Lines]] = {}

    def add(self, fault: Fault, line: int, column: int = 1, until: int | None = None) -> None:
        """Note a fault, on a line or on all until another; one of the same code and words joins those before it."""
        key = (fault.code, fault.message, fault.hint)
        _, lines = self._places.setdefault(key, (column, Lines()))
        lines.add(line, until)

    def has(self, fault: Fault) -> bool:
        """Whether it was noted."""
        return (fault.code, fault.message, fault.hint) in self._places

    def advise(self, codes: Iterable[str], hint: str) -> None:
        """Give the faults of some codes one hint instead of their own."""
        wanted = frozenset(codes)
        noted, self._places = self._places, {}
        for (code, message, own), (column, lines) in noted.items():
            key = (code, message, hint if code in wanted else own)
            at, joined = self._places.get(key, (column, Lines()))
            self._places[key] = at, _merged(joined, lines)

    def problems(self) -> tuple[Problem, ...]:
        """One problem per kind."""
        placed = sorted(self._places.items(), key=lambda item: item[1][1].first[0])
        return tuple(
            Problem(self._file, lines.first[0], column, code, message + _also(lines), CODES[code].severity, hint)
            for (code, message, hint), (column, lines) in placed
        )


def _merged(one: Lines, other: Lines) -> Lines:
    made = Lines()
    made.first = sorted({*one.first, *other.first})[: _LINES_NAMED + 1]
    made.count = one.count + other.count
    made.last = max(one.last, other.last)
    return made


def at_least_20(message: str, offset: int = 0) -> Fault:
    """The fault of a file without examples."""
    return Fault("GT201", message, "commit at least 20 examples", offset)


def carriage_return(offset: int) -> Fault:
    """The fault of lines that end as nothing ends them any more."""
    hint = "save the file with line feeds: tr '\\r' '\\n' < FILE"
    return Fault("GT264", "lines end in a carriage return alone", hint, offset)


def not_utf8(offset: int) -> Fault:
    """The fault of bytes that are no text."""
    hint = "save the file as UTF-8; for older Windows files: iconv -f WINDOWS-1252 -t UTF-8 FILE"
    return Fault("GT243", "not valid UTF-8", hint, offset)


def listed(lines: Lines) -> str:
    """``line 3``, ``lines 3, 17, 20, 21, 22 and 41 more``."""
    if lines.count == 1:
        return f"line {lines.first[0]}"
    named = [str(line) for line in lines.first[:_LINES_NAMED]]
    last = f"{lines.count - _LINES_NAMED:,} more" if lines.count > _LINES_NAMED else named.pop()
    return f"lines {', '.join(named)} and {last}"


def _also(lines: Lines) -> str:
    return f": {listed(lines)}" if lines.count > 1 else ""


# A file's own words are only ever repeated when they are one of these or of the spec's: anything else may be a row.
FAMILIAR = frozenset(
    (
        *("answer", "answers", "category", "chosen", "class", "completion", "content", "contents", "context"),
        *("conversation", "conversations", "document", "expected", "input", "inputs", "instruction", "instructions"),
        *("label", "labels", "messages", "output", "outputs", "prompt", "prompts", "query", "question", "questions"),
        *("rejected", "response", "responses", "summary", "system", "target", "text", "text_input", "text_output"),
        "textinput",
    )
)

_WORDS_NAMED = 6


def shown(words: Iterable[str], expected: Iterable[str]) -> str:
    """The familiar and the expected ones among the words, quoted, and how many others there are; "" for no words."""
    wanted = {plain(name) for name in expected} | FAMILIAR
    found = list(words)
    named = [f"'{word.strip()}'" for word in found if plain(word) in wanted][:_WORDS_NAMED]
    others = len(found) - len(named)
    if not others:
        return ", ".join(named)
    rest = f"{others:,} other name{'s' if others > 1 else ''}"
    return f"{', '.join(named)} and {rest}" if named else rest


def plain(word: str) -> str:
    """A name without case and outer white space."""
    return word.strip().casefold()

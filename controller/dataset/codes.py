"""Each problem a dataset can have: a stable code to its default severity, its meaning, and whether that is fixed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from controller.errors import Severity


@dataclass(frozen=True, slots=True)
class Code:
    """What a code stands for. ``fixed`` codes keep their severity: rows are missing, or the service would refuse."""

    severity: Severity
    meaning: str
    fixed: bool = False


def _error(meaning: str) -> Code:
    return Code(Severity.ERROR, meaning)


def _fixed(meaning: str) -> Code:
    return Code(Severity.ERROR, meaning, fixed=True)


def _warning(meaning: str) -> Code:
    return Code(Severity.WARNING, meaning)


def _advice(meaning: str) -> Code:
    return Code(Severity.ADVICE, meaning)


CODES: Mapping[str, Code] = MappingProxyType(
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
        "GT209": _warning("an example stands in the file twice"),
        "GT210": _warning("one input has two different outputs"),
        "GT211": _warning("an input of the evaluation set is also trained on"),
        "GT212": _warning("the inputs are not all built in the same way"),
        "GT213": _advice("white space stands before or behind some texts only"),
        "GT214": _warning("a text holds control characters"),
        "GT215": _fixed("a text holds a NUL character"),
        "GT216": _warning("a text holds the replacement character that a failed conversion leaves"),
        "GT217": _warning("every example has the same output"),
        "GT218": _warning("two labels of a classification differ only in case or white space"),
        # hyperparameters, with the number of examples in mind
        "GT231": _advice("epochCount is far from what the guide starts with"),
        "GT232": _advice("batchSize does not suit the number of examples"),
        "GT233": _advice("the learning rate is high for so few examples"),
        "GT234": _advice("the learning rate is far from what the guide starts with"),
        "GT235": _advice("the run takes very many steps"),
        "GT236": _advice("the run takes very few steps"),
        # how the file is written
        "GT240": _fixed("the format of the file is not known"),
        "GT241": _fixed("a Git LFS pointer stands in place of the data"),
        "GT242": _fixed("the file is UTF-16 or UTF-32"),
        "GT243": _fixed("the file is not valid UTF-8"),
        "GT244": _warning("the file begins with a byte-order mark"),
        "GT245": _fixed("the file holds another format than its name or spec says"),
        "GT246": _fixed("the text is not valid JSON"),
        "GT247": _fixed("a comma stands before the end of an object or array"),
        "GT248": _fixed("a key stands twice in one object"),
        "GT249": _fixed("NaN and Infinity are not JSON"),
        "GT250": _fixed("a text holds half of a surrogate pair"),
        "GT251": _fixed("an example is not a JSON object"),
        "GT252": _fixed("an example lacks a column"),
        "GT253": _fixed("a column holds something else than text"),
        "GT254": _fixed("the JSON is nested too deep"),
        "GT255": _fixed("one example is longer than 1,000,000 characters"),
        "GT256": _fixed("the file has more than 1,000,000 examples"),
        "GT257": _warning("a blank line stands between examples"),
        "GT258": _fixed("the CSV header lacks a column"),
        "GT259": _fixed("the CSV header names a column twice"),
        "GT260": _fixed("a CSV row has more or fewer fields than the header"),
        "GT261": _fixed("a quote is opened and never closed"),
        "GT262": _fixed("a quote stands where CSV allows none"),
        "GT263": _fixed("the CSV is separated by something else than commas"),
        "GT264": _fixed("lines end in a carriage return alone"),
        "GT265": _fixed("the JSON ends too early"),
        "GT266": _fixed("more text follows where one JSON value should end"),
        "GT267": _fixed("the file is compressed or binary"),
    }
)

"""A YAML file's bytes to its documents, each value with its place, and every problem of every document."""

from __future__ import annotations

from controller.documents.composing import Composition
from controller.documents.events import Broken, events
from controller.documents.text import Chunk, read_text, split
from controller.documents.values import LIMITS, Document, Limits, Parsed, Spot
from controller.errors import Problem


def parse(data: bytes, file: str, limits: Limits = LIMITS) -> Parsed:
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


def _document(chunk: Chunk, file: str, limits: Limits) -> Document:
    composition = Composition(file, chunk.line, limits)
    problems = list(chunk.problems)
    whole = True
    try:
        composition.feed(events(chunk.text, chunk.line, limits))
    except Broken as broken:
        whole = False
        # The markers of an unfinished merge break the text in ways not worth telling.
        if not any(p.code == "GT126" for p in problems):
            spot = broken.spot
            problems.append(Problem(file, spot.line, spot.column, broken.code, broken.message, hint=broken.hint))
    problems.extend(composition.problems)
    return Document(
        composition.value,
        composition.places,
        file,
        composition.places.get((), Spot(chunk.line, 1)),
        composition.keys,
        tuple(sorted(problems)),
        whole,
    )

"""What a dataset file is taken for to text, Markdown and JSON."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group
from rich.table import Table

from controller.dataset.inspection import Inspection, Lengths
from controller.report.formatting import JsonObject, cell, counted, fields_of, terminal
from controller.report.render_problems import problem_json, problems_markdown, problems_text

_LABELS_SHOWN = 10


def inspection_text(found: Inspection) -> Group:
    """What the file is taken for, then its problems."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for name, said in _lines(found):
        table.add_row(name, terminal(said))
    return Group(table, problems_text(found.problems))


def inspection_markdown(found: Inspection) -> str:
    """The same as two tables."""
    rows = "".join(f"| {name} | {cell(said)} |\n" for name, said in _lines(found))
    return f"| {cell(found.file)} | |\n|---|---|\n{rows}\n{problems_markdown(found.problems)}"


def inspection_json(found: Inspection) -> JsonObject:
    """``{schemaVersion, file, format, shape, rows, …, lengths: {input, output}, labels: […], problems: […]}``."""
    return {
        "schemaVersion": 1,
        **fields_of(found, "file", "format", "shape", "rows", "characters", "bytes", "duplicates", "contradictions"),
        "severalTurns": found.turns,
        "systemMessages": found.systems,
        "lengths": {
            "input": fields_of(found.inputs, "median", "most", "longest"),
            "output": fields_of(found.outputs, "median", "most", "longest"),
        },
        "labels": list(found.labels),
        "leaks": found.leaks,
        "digest": found.digest,
        "problems": [problem_json(problem) for problem in found.problems],
    }


def _lines(found: Inspection) -> Iterator[tuple[str, str]]:
    yield "file", f"{found.file}: {found.format}, {found.shape}"
    yield "examples", _examples(found)
    if not found.rows:
        return
    yield "input", _said(found.inputs)
    yield "output", _said(found.outputs)
    if found.labels:
        more = len(found.labels) - _LABELS_SHOWN
        shown = ", ".join(f"{count:,}" for count in found.labels[:_LABELS_SHOWN])
        yield "labels", f"{len(found.labels)}, with {shown}{f' and {more} more' if more > 0 else ''} examples each"
    yield "size", f"{counted(found.characters, 'character')}, {counted(found.bytes, 'byte')} of text"
    yield "repeats", f"{found.duplicates:,} repeated, {found.contradictions:,} with another output for the same input"
    if found.leaks is not None:
        yield "leaks", f"{counted(found.leaks, 'input')} that the evaluation set asks too"
    yield "digest", found.digest or "none: a row could not be read"


def _examples(found: Inspection) -> str:
    several = f", {found.turns:,} of several turns" if found.turns else ""
    system = f", {found.systems:,} with a system message" if found.systems else ""
    return f"{found.rows:,}{several}{system}"


def _said(lengths: Lengths) -> str:
    return f"{lengths.median:,} characters in the median, {lengths.most:,} in 95 %, {lengths.longest:,} at the most"

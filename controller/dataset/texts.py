"""Each text of a dataset by itself: blank, too long, holding what no text should."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from controller.dataset.codes import CODES
from controller.dataset.findings import Fault, Findings, listed
from controller.dataset.rows import ReadDataset
from controller.dataset.rules import LONGEST_INPUT, LONGEST_OUTPUT, Rules
from controller.errors import Problem

# C0 and C1 without tab and line breaks, DEL, a byte-order mark; U+FFFD is what a failed conversion leaves.
_ODD = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufeff\ufffd]")
_FEW = 0.2  # outer white space in up to this share of the rows is a slip; in more it is a habit


def look_at_texts(read: ReadDataset, rules: Rules, findings: Findings) -> None:
    """Note what is wrong with single texts."""
    name_in, name_out = read.layout.columns
    for row, text_input in read.inputs():
        _one(text_input, name_in, row.line, findings)
        _one(row.example.output, name_out, row.line, findings)
        if len(row.example.text_input) > LONGEST_INPUT:
            _long(name_in, LONGEST_INPUT, row.line, findings)
        if len(row.example.output) > LONGEST_OUTPUT:
            _long(name_out, LONGEST_OUTPUT, row.line, findings)
        elif rules.output_bytes is not None and len(row.example.output.encode()) > rules.output_bytes:
            message = f"column '{name_out}' is longer than the {rules.output_bytes:,} bytes that the provider learns"
            findings.add(Fault("GT207", message, "shorten it"), row.line)


def outer_space(read: ReadDataset) -> Iterator[Problem]:
    """Advice where some texts of a column begin or end in white space and most do not."""
    outputs = ((row.line, row.example.output) for row in read.rows)
    inputs = ((row.line, text) for row, text in read.inputs())
    for name, texts in zip(read.layout.columns, (inputs, outputs), strict=True):
        lines = [line for line, text in texts if text != (stripped := text.strip()) and stripped]
        if 0 < len(lines) <= _FEW * len(read.rows):
            where = f"lines {listed(lines)}" if len(lines) > 1 else f"line {lines[0]}"
            message = f"column '{name}' begins or ends in white space on {where}, and nowhere else"
            hint = "a model learns it as part of the text: trim it"
            yield Problem(read.file, lines[0], 1, "GT213", message, CODES["GT213"].severity, hint)


def request_bytes(read: ReadDataset) -> int:
    """How many bytes of UTF-8 JSON the examples are in a create request."""
    frame = len('{"textInput":,"output":},')
    encode = msgspec.json.encode
    texts = sum(len(encode(row.example.text_input)) + len(encode(row.example.output)) for row in read.rows)
    return texts + frame * len(read.rows)


def _one(text: str, column: str, line: int, findings: Findings) -> None:
    if not text or text.isspace():
        word = "blank" if text else "empty"
        findings.add(Fault("GT202", f"column '{column}' is {word}", "fill it, or take the example out"), line)
    elif odd := _ODD.search(text):
        findings.add(_odd(text, odd[0], column), line)


def _odd(text: str, first: str, column: str) -> Fault:
    if "\x00" in text:
        return Fault("GT215", f"column '{column}' holds a NUL character", "take it out: no service takes it")
    if first == "\ufffd":
        hint = "an earlier conversion lost the character: restore it from the source"
        return Fault("GT216", f"column '{column}' holds the replacement character U+FFFD", hint)
    return Fault(
        "GT214", f"column '{column}' holds control characters", "take them out; only tabs and line breaks are text"
    )


def _long(column: str, most: int, line: int, findings: Findings) -> None:
    code = "GT206" if most == LONGEST_INPUT else "GT207"
    hint = "shorten it, or split the example" if code == "GT206" else "shorten it"
    findings.add(Fault(code, f"column '{column}' is longer than {most:,} characters", hint), line)

"""The bytes of a dataset file and the layout its spec states, to rows and problems."""

from __future__ import annotations

from typing import get_args

from controller.dataset.csv_table import read_csv
from controller.dataset.decoding import decode
from controller.dataset.findings import Fault, Findings
from controller.dataset.json_array import read_json
from controller.dataset.jsonl import read_jsonl
from controller.dataset.rows import Format, Layout, ReadDataset, Row
from controller.errors import Severity

_FORMATS: dict[str, Format] = {f".{name}": name for name in get_args(Format)}
_HINTS = {
    ".ndjson": "set dataset.format: jsonl",
    ".jsonlines": "set dataset.format: jsonl",
    ".tsv": "save it with commas as .csv",
    ".xlsx": "export the sheet as CSV",
    ".parquet": "export it as JSONL",
}


def read_examples(data: bytes, file: str, layout: Layout) -> ReadDataset:
    """Every example of a file with its line, and every problem of how it is written. Nothing is raised.

    ``file`` is the path that problems name, and whose suffix gives the format where the layout does not.
    """
    findings = Findings(file)
    rows = _read(data, file, layout, findings)
    if not rows and all(p.severity is not Severity.ERROR for p in findings.problems()):
        findings.add(Fault("GT201", "the file holds no examples", "commit at least 20 examples"), 1)
    return ReadDataset(tuple(rows), findings.problems(), file, layout)


def _read(data: bytes, file: str, layout: Layout, findings: Findings) -> list[Row]:
    text = decode(data, findings)
    if text is None:
        return []
    suffix = _suffix(file)
    match layout.format or _FORMATS.get(suffix):
        case "jsonl":
            return read_jsonl(text, layout, findings)
        case "json":
            return read_json(text, layout, findings)
        case "csv":
            return read_csv(text, layout, findings)
        case None:
            hint = _HINTS.get(suffix, "name it .jsonl, .json or .csv, or set dataset.format")
            findings.add(Fault("GT240", "the format of the file is not known", hint), 0, 0)
            return []


def _suffix(file: str) -> str:
    name = file.rpartition("/")[2]
    dot = name.rfind(".")
    return name[dot:].lower() if dot > 0 else ""

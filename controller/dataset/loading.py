"""The bytes of a dataset file to rows, digest and problems, and two sets of examples to what an edit did."""

from __future__ import annotations

import codecs
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from posixpath import splitext
from typing import get_args

from controller.dataset.checks import Rules, check
from controller.dataset.columns import Columns
from controller.dataset.csv_reader import read_csv
from controller.dataset.json_reader import read_json, read_jsonl
from controller.dataset.problems import Fault, Findings, at_least_20
from controller.dataset.rows import ExampleRow, Format, Layout, ReadDataset
from controller.errors import Problem, Severity
from controller.state.desired import Dataset, Example

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "ZIP (or an Excel workbook)"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "Zstandard"),
    (b"PAR1", "Parquet"),
    (b"ARROW1", "Arrow"),
    (b"SQLite format 3\x00", "SQLite"),
    (b"%PDF-", "PDF"),
)
_POINTERS = (b"version https://git-lfs.github.com/spec/", b"version https://hawser.github.com/spec/")
_WIDE: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF32_LE, "UTF-32"),  # begins like UTF-16's mark, so it is asked for first
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_SAMPLE = 4096


def decode(data: bytes, findings: Findings) -> str | None:
    """The text without its byte-order mark; None where there is none to read, with the reason in the findings."""
    if fault := _not_text(data):
        findings.add(fault, 1)
        return None
    if data.startswith(codecs.BOM_UTF8):
        data = data[len(codecs.BOM_UTF8) :]
        findings.add(Fault("GT244", "the file begins with a byte-order mark", "save it as UTF-8 without a BOM"), 1)
    text = _utf8(data, findings)
    if text is not None and not text.strip():
        findings.add(at_least_20("the file is empty"), 1)
        return None
    return text


def _not_text(data: bytes) -> Fault | None:
    if data.startswith(_POINTERS):
        return Fault(
            "GT241",
            "this is a Git LFS pointer, not the data",
            "gitune reads what the commit holds, so `git lfs pull` does not help: take the path out of "
            ".gitattributes, run `git add --renormalize` on it and commit the data as a plain file",
        )
    for mark, encoding in _WIDE:
        if data.startswith(mark):
            return _wide(encoding)
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return Fault("GT267", f"this is a {kind} file", "commit the examples as plain JSONL, JSON or CSV text")
    sample = data[:_SAMPLE]
    if sample.count(0) * 5 > len(sample):  # Western text in UTF-16 is half NULs, in UTF-32 three quarters
        return _wide("UTF-16 or UTF-32")
    return None


def _wide(encoding: str) -> Fault:
    return Fault(
        "GT242",
        f"the file is {encoding}, not UTF-8",
        f"convert it: iconv -f {encoding.partition(' ')[0]} -t UTF-8 FILE",
    )


def _utf8(data: bytes, findings: Findings) -> str | None:
    with suppress(UnicodeDecodeError):
        return data.decode()
    hint = "save the file as UTF-8; for older Windows files: iconv -f WINDOWS-1252 -t UTF-8 FILE"
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            findings.add(Fault("GT243", "not valid UTF-8", hint), number, len(line[: error.start].decode()) + 1)
    return None


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
    suffix = splitext(file)[1].lower()
    text = decode(data, findings)
    written = layout.format or _FORMATS.get(suffix)
    if text is None or written is None:
        if text is not None:
            hint = _HINTS.get(suffix, "name it .jsonl, .json or .csv, or set dataset.format")
            findings.add(Fault("GT240", "the format of the file is not known", hint), 0, 0)
        return ReadDataset((), findings.problems(), file, layout)
    columns = Columns(layout, written)
    rows = _READERS[written](text, layout, columns, findings)
    if hint := columns.mapping():
        findings.advise(("GT252", "GT258"), hint)
    if not rows and all(p.severity is not Severity.ERROR for p in findings.problems()):
        findings.add(at_least_20("the file holds no examples"), 1)
    return ReadDataset(tuple(rows), findings.problems(), file, layout, columns.unused(), written)


_READERS: dict[Format, Callable[[str, Layout, Columns, Findings], list[ExampleRow]]] = {
    "jsonl": read_jsonl,
    "json": read_json,
    "csv": read_csv,
}


DIGEST_VERSION = "gitune-examples/1"


def digest(examples: Iterable[Example]) -> str:
    """SHA-256 (64 hex digits) over the examples as sent.

    The preimage is ``gitune-examples/1`` and a line feed; then for each example its input and its output, each as
    UTF-8 behind its length in bytes (8 bytes, big-endian). So order counts, and no two lists share a preimage.
    Frozen by golden vectors.
    """
    sha = hashlib.sha256(f"{DIGEST_VERSION}\n".encode())
    for example in examples:
        # Half a surrogate pair is refused by every reader; the digest of one must still be a digest, not a crash.
        text_input = example.text_input.encode(errors="surrogatepass")
        output = example.output.encode(errors="surrogatepass")
        sha.update(len(text_input).to_bytes(8, "big") + text_input + len(output).to_bytes(8, "big") + output)
    return sha.hexdigest()


@dataclass(frozen=True, slots=True)
class Loaded:
    """One file, read and checked. ``dataset`` is None where rows could not be read."""

    read: ReadDataset
    dataset: Dataset | None
    problems: tuple[Problem, ...]


def load(data: bytes, file: str, layout: Layout, rules: Rules) -> Loaded:
    """Read and check in one go. Whether an error of the checks holds the spec is the caller's policy."""
    read = read_examples(data, file, layout)
    problems = (*read.problems, *check(read, rules))
    if not read.whole or not read.rows:
        return Loaded(read, None, problems)
    examples = read.examples
    repeats = len(examples) - len(set(examples))
    return Loaded(read, Dataset(file, digest(examples), examples, layout.prefix, repeats), problems)


@dataclass(frozen=True, slots=True)
class Difference:
    """What an edit did.

    ``edited`` counts examples whose input stayed and whose output changed. ``reordered`` says whether the examples that
    stayed stand in another order. ``duplicates`` and ``contradictions`` (inputs with several outputs) are those after.
    """

    added: int = 0
    removed: int = 0
    edited: int = 0
    reordered: bool = False
    duplicates: int = 0
    contradictions: int = 0


def difference(before: Sequence[Example], after: Sequence[Example]) -> Difference:
    """Compare two sets as multisets of examples."""
    was, now = Counter(before), Counter(after)
    gone, come = was - now, now - was
    edited = sum((_inputs(gone.elements()) & _inputs(come.elements())).values())
    stayed = was & now
    return Difference(
        added=come.total() - edited,
        removed=gone.total() - edited,
        edited=edited,
        reordered=_kept(before, stayed) != _kept(after, stayed),
        duplicates=now.total() - len(now),
        contradictions=sum(count > 1 for count in _inputs(now).values()),
    )


def _inputs(examples: Iterable[Example]) -> Counter[str]:
    return Counter(example.text_input for example in examples)


def _kept(examples: Sequence[Example], stayed: Counter[Example]) -> list[Example]:
    """Those that stayed, in order; of equal ones the first so many."""
    left = Counter(stayed)
    kept = []
    for example in examples:
        if left[example]:
            left[example] -= 1
            kept.append(example)
    return kept

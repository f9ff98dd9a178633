"""The bytes of a dataset file to its examples, in one pass, and to what is wrong with how it is written."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from posixpath import splitext
from typing import get_args

from controller.dataset.columns import Columns
from controller.dataset.csv_reader import read_csv
from controller.dataset.json_array import read_json_array
from controller.dataset.json_lines import read_json_lines
from controller.dataset.problems import Fault, Findings, Unusable, at_least_20, not_utf8
from controller.dataset.rows import Batch, Block, Format, Layout, Shape, Unused, too_many
from controller.dataset.shapes import CONVERSATIONS, Ambiguous, Shaper
from controller.dataset.tables import read_parquet, read_workbook
from controller.dataset.unfolding import SUFFIXES, unfolded
from controller.errors import Problem, Severity

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
_WHOLE = 256 << 20  # bytes of a file that has to be held whole to be read
_FORMATS: dict[str, Format] = {f".{name}": name for name in get_args(Format)}
_HINTS = {
    ".ndjson": "set dataset.format: jsonl",
    ".jsonlines": "set dataset.format: jsonl",
    ".xls": "save it as .xlsx",
    ".ods": "save it as .xlsx",
    ".arrow": "write it as .parquet",
    ".bz2": "compress it with gzip",
    ".xz": "compress it with gzip",
    ".zip": "commit the file itself, or compress it with gzip",
}


Source = Callable[[], Iterable[bytes]]
"""The bytes of one file, in chunks, from its beginning whenever it is called. Raises `Unreadable`."""


class Reading:
    """One pass over one file. Nothing is raised; what is wrong is known when the pass has ended.

    ``file`` is the path that problems name, and whose suffix gives the format where the layout does not.
    """

    def __init__(self, source: Source, file: str, layout: Layout) -> None:
        self.file = file
        self.layout = layout
        stem, suffix = splitext(file.lower())
        self._folded = suffix if suffix in SUFFIXES else ""
        self._suffix = splitext(stem)[1] if self._folded else suffix
        self.written: Format = layout.format or _FORMATS.get(self._suffix, "jsonl")
        self.count = 0
        self._source = source
        self._findings = Findings(file)
        self._columns = Columns(layout, self.written)
        self._shaper = Shaper(layout, self._columns, self._findings)
        self._is_text = True

    def __iter__(self) -> Iterator[Batch]:
        """The examples, in the order of the file. Where it turns out to be no text, they mean nothing."""
        try:
            for block in self._blocks():
                batch = self._shaper.batch(block)
                is_last = too_many(batch, self.count, self._findings)
                self.count += len(batch.lines)
                yield batch
                if is_last:
                    break
        except Unusable as error:
            self._refuse(error)
            return
        except Ambiguous as error:
            self._findings.add(error.fault, error.line)
            return
        self._conclude()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with how the file is written, as far as the pass has come."""
        return self._findings.problems()

    @property
    def whole(self) -> bool:
        """Whether every row was read. A dataset that is not whole is never trained on, whatever a policy says."""
        return self._is_text and all(p.severity is not Severity.ERROR for p in self.problems)

    @property
    def shape(self) -> Shape:
        """The shape of the rows, once some were read."""
        return self._shaper.shape

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that examples are made of."""
        return self._shaper.columns

    @property
    def subjects(self) -> tuple[str, str]:
        """How messages call what a user says and what the model is to answer."""
        if self.shape in CONVERSATIONS:
            return "a turn of the user", "a turn of the model"
        return f"column '{self.columns[0]}'", f"column '{self.columns[-1]}'"

    @property
    def unused(self) -> tuple[Unused, ...]:
        """The columns that hold text and are not sent."""
        return self._columns.unused()

    def _blocks(self) -> Iterator[Block]:
        if self.written in ("parquet", "xlsx"):
            yield from self._table()
            return
        chunks = self._opened()
        if self.layout.format is None and self._suffix not in _FORMATS:
            if _is_blank(chunks):
                self._findings.add(at_least_20("the file is empty"), 1)
                return
            hint = _HINTS.get(self._suffix, "name it .jsonl, .json or .csv, or set dataset.format")
            self._findings.add(Fault("GT240", "the format of the file is not known", hint), 0, 0)
            return
        if self.written == "jsonl":
            yield from read_json_lines(chunks, self.layout, self._findings)
            return
        text = _whole(chunks)
        if not text.strip():
            self._findings.add(at_least_20("the file is empty"), 1)
        elif self.written == "json":
            yield from read_json_array(text, self.layout, self._findings)
        else:
            yield from read_csv(text, self.layout, self._columns, self._findings)

    def _table(self) -> Iterator[Block]:
        head = next(iter(self._source()), b"")
        if self._folded or head.startswith(_POINTERS):
            fault = _not_text(head) if head.startswith(_POINTERS) else _FOLDED_TABLE
            raise Unusable(fault or _FOLDED_TABLE)
        if self.written == "parquet":
            yield from read_parquet(self._source)
        else:
            yield from read_workbook(self._source(), self.layout, self._findings)

    def _opened(self) -> Iterator[bytes]:
        """The bytes without their byte-order mark. Raises `Unusable` where they are no text in UTF-8."""
        chunks = iter(self._source())
        head = b""
        if self._folded:
            first = next(chunks, b"")
            if first.startswith(_POINTERS) and (fault := _not_text(first)):
                raise Unusable(fault)
            chunks = unfolded(chain((first,), chunks), self._folded)
        for chunk in chunks:
            head += chunk
            if len(head) >= _SAMPLE:
                break
        if fault := _not_text(head):
            raise Unusable(fault)
        if head.startswith(codecs.BOM_UTF8):
            self._findings.add(_MARK, 1)
            head = head[len(codecs.BOM_UTF8) :]
        return chain((head,), chunks)

    def _refuse(self, error: Unusable) -> None:
        """Nothing counts but why it is no text, and its mark, which is seen before that."""
        is_marked = self._findings.has(_MARK)
        self._findings = Findings(self.file)
        if is_marked:
            self._findings.add(_MARK, 1)
        self._findings.add(error.fault, error.line, error.fault.offset + 1 if error.line else 0)
        self.count, self._is_text = 0, False

    def _conclude(self) -> None:
        if hint := self._columns.mapping():
            self._findings.advise(("GT252", "GT258"), hint)
        if not self.count and self.whole:
            what = "is empty" if self.written == "jsonl" else "holds no examples"
            self._findings.add(at_least_20(f"the file {what}"), 1)


_FOLDED_TABLE = Fault("GT240", "a table is not read out of a compressed file", "it is compressed itself: unfold it")
_MARK = Fault("GT244", "the file begins with a byte-order mark", "save it as UTF-8 without a BOM")


def _is_blank(chunks: Iterable[bytes]) -> bool:
    return not any(chunk.strip() for chunk in chunks)


def _whole(chunks: Iterable[bytes]) -> str:
    """The text of a file that is read as one. Raises `Unusable`."""
    parts, size = [], 0
    for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size > _WHOLE:
            message = f"the file is larger than the {_WHOLE >> 20} MB that can be read of its format"
            raise Unusable(Fault("GT269", message, "write it as JSON Lines, which is read line by line"), 0)
    data = b"".join(parts)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        before = data[data.rfind(b"\n", 0, error.start) + 1 : error.start]
        raise Unusable(not_utf8(len(before.decode())), line) from None


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

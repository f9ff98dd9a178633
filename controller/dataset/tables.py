"""Parquet files and Excel workbooks to blocks of rows, each with its number, by libraries of the extra `data`."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn

from controller.dataset.problems import Fault, Findings, Unusable
from controller.dataset.rows import Block, Layout
from controller.dataset.unfolding import MOST_UNFOLDED, extra

_AT_ONCE = 1000
_GROUP = 64 << 20  # bytes of one row group, unfolded
_FOOTER = 16 << 20  # bytes of what a Parquet file says of itself
_WORKBOOK = 64 << 20  # bytes of a workbook, and of each of its parts that is held whole
_PARTS_UNFOLDED = 512 << 20


def read_parquet(source: Callable[[], Iterable[bytes]]) -> Iterator[Block]:
    """The rows of a Parquet file, group by group. Raises `Unusable`."""
    with extra():
        import pyarrow as pa  # noqa: PLC0415 - an extra
        import pyarrow.parquet as library  # noqa: PLC0415 - an extra
    window = _Window(source)
    try:
        file = library.ParquetFile(window, pre_buffer=False)
        _judge_groups(file.metadata)
        number = 1
        for group in range(file.num_row_groups):
            for batch in file.iter_batches(batch_size=_AT_ONCE, row_groups=[group], use_threads=False):
                rows = batch.to_pylist()
                yield Block(list(range(number, number + len(rows))), rows)
                number += len(rows)
    except (pa.ArrowException, OSError):
        raise Unusable(Fault("GT277", "the Parquet file is damaged", "write it again"), 0) from None


def _judge_groups(metadata: Any) -> None:  # noqa: ANN401 - of a library without types
    sizes = [metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups)]
    if max(sizes, default=0) > _GROUP:
        message = f"a row group of the Parquet file is larger than {_GROUP >> 20} MB"
        hint = "write it with smaller ones, such as `row_group_size=10_000`, or as JSON Lines"
        raise Unusable(Fault("GT280", message, hint), 0)
    if sum(sizes) > MOST_UNFOLDED:
        message = f"the file unfolds to over {MOST_UNFOLDED >> 30} GB"
        raise Unusable(Fault("GT276", message, "commit what is needed of it, as JSON Lines"), 0)


class _Window(io.RawIOBase):
    """A file of which only what lies ahead is read, from chunks; going back begins anew.

    Its end is kept, where a Parquet file says what is in it, and what was read last, so that columns of one row group
    may be asked for in any order.
    """

    def __init__(self, source: Callable[[], Iterable[bytes]]) -> None:
        super().__init__()
        self._source = source
        self._size, self._tail = 0, b""
        for chunk in source():
            self._size += len(chunk)
            self._tail = (self._tail + chunk)[-_FOOTER:] if len(chunk) < _FOOTER else chunk[-_FOOTER:]
        self._at = 0
        self._begin()

    def _begin(self) -> None:
        self._chunks = iter(self._source())
        self._held, self._start = bytearray(), 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is, at a price."""
        return True

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go there."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        """The bytes from here, all that were asked for unless the file ends."""
        end = self._size if size < 0 else min(self._size, self._at + size)
        found = self._between(self._at, end)
        self._at = max(self._at, end)
        return found

    def _between(self, start: int, end: int) -> bytes:
        if start >= end:
            return b""
        if start >= self._size - len(self._tail):
            offset = self._size - len(self._tail)
            return self._tail[start - offset : end - offset]
        if start < self._start:
            self._begin()
        while self._start + len(self._held) < end:
            chunk = next(self._chunks, b"")
            if not chunk:
                break
            self._held += chunk
            if (passed := start - self._start - _GROUP) > 0:  # a row group may be read back and forth
                del self._held[:passed]
                self._start += passed
        return bytes(self._held[start - self._start : end - self._start])


def read_workbook(chunks: Iterable[bytes], layout: Layout, findings: Findings) -> Iterator[Block]:
    """The rows of one sheet of an Excel workbook, by the names of its first row. Raises `Unusable`."""
    with extra():
        import openpyxl as library  # noqa: PLC0415 - an extra
    data = _held(chunks)
    _judge_parts(data)
    try:
        book = library.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        sheet = _sheet(book, layout)
        yield from _rows(sheet, findings)
    except (KeyError, ValueError, OSError, zipfile.BadZipFile, SyntaxError):
        _damaged()


def _damaged() -> NoReturn:
    raise Unusable(Fault("GT277", "the workbook is damaged, or no .xlsx", "save it again as .xlsx"), 0) from None


def _held(chunks: Iterable[bytes]) -> bytes:
    data = bytearray()
    for chunk in chunks:
        data += chunk
        if len(data) > _WORKBOOK:
            message = f"the workbook is larger than {_WORKBOOK >> 20} MB"
            raise Unusable(Fault("GT269", message, "export the sheet as CSV or JSON Lines"), 0)
    return bytes(data)


def _judge_parts(data: bytes) -> None:
    """A workbook is an archive, which says what its parts unfold to; the library that unfolds them holds to that."""
    try:
        sizes = [part.file_size for part in zipfile.ZipFile(io.BytesIO(data)).infolist()]
    except zipfile.BadZipFile:
        _damaged()
    if sum(sizes) > _PARTS_UNFOLDED:
        message = f"the workbook unfolds to over {_PARTS_UNFOLDED >> 20} MB"
        raise Unusable(Fault("GT276", message, "export the sheet as CSV or JSON Lines"), 0)


def _sheet(book: Any, layout: Layout) -> Any:  # noqa: ANN401 - of a library without types
    if layout.sheet:
        if layout.sheet not in book.sheetnames:
            message = f"none of the {len(book.sheetnames)} sheets of the workbook is called '{layout.sheet}'"
            raise Unusable(Fault("GT279", message, "names are taken to the letter, case and white space included"), 0)
        return book[layout.sheet]
    if len(book.worksheets) != 1:
        message = f"the workbook has {len(book.worksheets)} sheets"
        raise Unusable(Fault("GT279", message, "say which is meant: `sheet: NAME` in the dataset of the spec"), 0)
    return book.worksheets[0]


def _rows(sheet: Any, findings: Findings) -> Iterator[Block]:  # noqa: ANN401 - of a library without types
    header: list[str] = []
    block = Block([], [])
    for number, cells in enumerate(sheet.iter_rows(), 1):
        if all(cell.value is None for cell in cells):
            continue
        if not header:
            header = ["" if cell.value is None else str(cell.value) for cell in cells]
            named = [name for name in header if name]
            if len(set(named)) < len(named):
                findings.add(Fault("GT259", "the header names a column twice", "rename one of the two"), number)
                return
            continue
        row = {name: _cell(cell, findings, number) for name, cell in zip(header, cells, strict=False) if name}
        block.lines.append(number)
        block.values.append({name: row.get(name, "") for name in header if name})
        if len(block.lines) == _AT_ONCE:
            yield block
            block = Block([], [])
    yield block


def _cell(cell: Any, findings: Findings, row: int) -> object:  # noqa: ANN401 - of a library without types
    """A text, as the sheet shows it: whole numbers have no decimal point."""
    found = cell.value
    if found is None:
        return ""
    if getattr(cell, "data_type", "") == "e":
        fault = Fault("GT253", f"cell {cell.coordinate} holds an error of its formula", "correct the formula")
        findings.add(fault, row, cell.column)
        return ""
    if isinstance(found, bool):
        return "TRUE" if found else "FALSE"
    if isinstance(found, int):
        return str(found)
    if isinstance(found, float):
        return str(int(found)) if found.is_integer() else repr(found)
    if isinstance(found, str):
        return found
    hint = "write it as text: an apostrophe before it, or the column formatted as text"
    findings.add(Fault("GT253", f"cell {cell.coordinate} holds a date or a time, not text", hint), row, cell.column)
    return ""

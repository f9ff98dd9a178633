"""The bytes of a file to its text, or to the reason why they are not text."""

from __future__ import annotations

import codecs

from controller.dataset.findings import Fault, Findings

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
        findings.add(Fault("GT201", "the file is empty", "commit at least 20 examples"), 1)
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
    try:
        return data.decode()
    except UnicodeDecodeError:
        for number, line in enumerate(data.split(b"\n"), 1):
            _look_for_bad_bytes(line, number, findings)
        return None


def _look_for_bad_bytes(line: bytes, number: int, findings: Findings) -> None:
    try:
        line.decode()
    except UnicodeDecodeError as error:
        fault = Fault(
            "GT243",
            "not valid UTF-8",
            "save the file as UTF-8; for older Windows files: iconv -f WINDOWS-1252 -t UTF-8 FILE",
        )
        findings.add(fault, number, len(line[: error.start].decode()) + 1)

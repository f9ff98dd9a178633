"""A path as a spec writes it to a path of the tree, or the reason why it names none. Pure."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Final

from controller.errors import Problem, Unreadable
from controller.ports import Entry, EntryKind

LONGEST_PATH: Final = 4096  # bytes: PATH_MAX of Linux
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ORDINARY = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]*/)*[A-Za-z0-9_][A-Za-z0-9_.-]*")  # what no rule speaks of
_DRIVE = re.compile(r"[A-Za-z]:")
NOT_THERE_HINT: Final = "Commit the file, or correct the path."
_RELATIVE_HINT = "Write it relative to the spec file, with forward slashes: datasets/examples.jsonl."
_INSIDE_HINT = "Keep the file in the repository, so that it is reviewed together with the spec."


@lru_cache(maxsize=1 << 15)  # asked for by every pass, of the same few files
def resolve(spec_file: str, path: str) -> str:
    """The path of the tree that ``path``, written in ``spec_file``, names. Raises `Unreadable` (GT410 to GT418)."""
    if len(spec_file) + len(path) < LONGEST_PATH and _ORDINARY.fullmatch(path) and _ORDINARY.fullmatch(spec_file):
        return f"{spec_file.rpartition('/')[0]}/{path}".lstrip("/")
    shown = quoted(path)
    _check_text(path, shown)
    parts = spec_file.split("/")[:-1]
    for part in path.split("/"):
        if part == "..":
            if not parts:
                raise Unreadable(f"{shown} leaves the repository", code="GT412", hint=_INSIDE_HINT)
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    if any(_is_git(part) for part in parts):
        raise Unreadable(f"{shown} names git's own folder", code="GT417", hint="Keep data outside of .git.")
    found = "/".join(parts)
    if not found:
        raise Unreadable(f"{shown} names the root of the repository, not a file", code="GT404", hint=_RELATIVE_HINT)
    if len(found.encode("utf-8", "surrogatepass")) > LONGEST_PATH:
        raise Unreadable(f"{shown} is longer than {LONGEST_PATH} bytes", code="GT416", hint="Use a shorter path.")
    return found


def _check_text(path: str, shown: str) -> None:
    if not path.strip():
        raise Unreadable("the path is empty", code="GT410", hint=_RELATIVE_HINT)
    if len(path.encode("utf-8", "surrogatepass")) > LONGEST_PATH:
        raise Unreadable(f"{shown} is longer than {LONGEST_PATH} bytes", code="GT416", hint="Use a shorter path.")
    if _CONTROL.search(path) or any("\ud800" <= c <= "\udfff" for c in path):
        raise Unreadable(f"{shown} has a control character in it", code="GT415", hint="Rename the file.")
    if path.startswith("/"):
        raise Unreadable(f"{shown} is an absolute path", code="GT411", hint=_RELATIVE_HINT)
    if path.startswith("~"):
        raise Unreadable(f"{shown} starts at a home folder", code="GT414", hint=_RELATIVE_HINT)
    if "\\" in path or _DRIVE.match(path):
        raise Unreadable(f"{shown} is written the Windows way", code="GT413", hint=_RELATIVE_HINT)
    if path.endswith(("/", "/.", "/..")) or path in {".", ".."}:
        raise Unreadable(f"{shown} names a folder, not a file", code="GT418", hint="Name the file itself.")


def _is_git(part: str) -> bool:
    """As git guards it on every file system: case folded, ignorable characters and trailing dots and spaces dropped."""
    plain = "".join(c for c in unicodedata.normalize("NFKC", part) if unicodedata.category(c) != "Cf")
    return plain.casefold().rstrip(". ") in {".git", "git~1"}


def quoted(path: str) -> str:
    """The path in quotes, cut and escaped so that it can stand in one line of a message."""
    return ascii(path) if len(path) <= 200 else ascii(path[:200]) + "…"  # noqa: PLR2004 - a line of a screen or two


def not_found(path: str, known: Iterable[str]) -> Unreadable:
    """The error for a path that is not in the tree, with the nearest one that is."""
    near = nearest(path, tuple(known))
    hint = f"Did you mean {quoted(near)}?" if near else NOT_THERE_HINT
    return Unreadable(f"{quoted(path)} is not there", code="GT401", hint=hint, meant=near or "")


def nearest(path: str, known: Sequence[str]) -> str | None:
    """The known path that is most likely meant: another spelling of the same, the same name elsewhere, a near one."""
    folded = fold(path)
    if same := [k for k in known if fold(k) == folded]:
        return same[0]
    name = path.rpartition("/")[2]
    if same := [k for k in known if k.rpartition("/")[2] == name]:
        return same[0]
    folder = path.rpartition("/")[0]
    beside = [PurePosixPath(k) for k in known if k.rpartition("/")[0] == folder][:5000]
    # By their stems: the suffix is the same for all datasets of a folder, and would make every short name near.
    stems = {k.stem: str(k) for k in sorted(beside, key=lambda k: k.suffix == PurePosixPath(path).suffix)}
    return next((stems[s] for s in difflib.get_close_matches(PurePosixPath(path).stem, stems, 1, 0.75)), None)


def of_kind(path: str, kind: EntryKind) -> Unreadable:
    """The error for an entry that is not a file."""
    match kind:
        case EntryKind.SYMLINK:
            said, code, hint = "a symbolic link", "GT402", "Commit the file itself; links are not followed."
        case EntryKind.SUBMODULE:
            said, code, hint = "a submodule", "GT405", "Commit the file in this repository."
        case EntryKind.FILE | EntryKind.OTHER:
            said, code, hint = "not a regular file", "GT406", "Pipes, devices and sockets are never read."
    return Unreadable(f"{quoted(path)} is {said}", code=code, hint=hint)


def below(path: str, kind: EntryKind, part: str) -> Unreadable:
    """The error for a path one of whose folders is a link, a submodule or a file."""
    match kind:
        case EntryKind.SYMLINK:
            said, code = "a symbolic link", "GT420"
        case EntryKind.SUBMODULE:
            said, code = "a submodule", "GT405"
        case EntryKind.FILE | EntryKind.OTHER:
            said, code = "not a folder", "GT401"
    return Unreadable(
        f"{quoted(path)} leads through {quoted(part)}, which is {said}", code=code, hint="Name the file where it is."
    )


def too_large(path: str, size: int, limit: int) -> Unreadable:
    """The error for a file that is larger than its reader takes; it was not read."""
    return Unreadable(
        f"{quoted(path)} has {size:,} bytes, more than the {limit:,} allowed", code="GT403", hint="Make it smaller."
    )


def is_folder(path: str) -> Unreadable:
    """The error for a path that is a folder."""
    return Unreadable(f"{quoted(path)} is a folder", code="GT404", hint="Name a file in it.")


def fold(path: str) -> str:
    """The path as a file system that does not tell case or Unicode forms apart sees it."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def collisions(entries: Iterable[Entry]) -> tuple[Problem, ...]:
    """A problem (GT419) for every path that some file systems cannot tell from an earlier one."""
    first: dict[str, str] = {}
    problems = []
    for path in sorted(entry.path for entry in entries):
        other = first.setdefault(fold(path), path)
        if other != path:
            message = f"{quoted(path)} and {quoted(other)} are one file where case or accents are not told apart"
            problems.append(Problem(path, 0, 0, "GT419", message, hint="Rename one of them."))
    return tuple(problems)

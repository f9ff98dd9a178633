"""The working tree, as it lies on disk, to its files; nothing is followed and nothing but a regular file is read."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from controller.errors import ControllerError, SourceError, Unreadable
from controller.git.failures import translated
from controller.git.layout import find_repository
from controller.ports import Entry, EntryKind, Landing, OneByOne, Relation, Tree
from controller.source.paths import below, is_folder, not_found, of_kind, quoted, too_large
from controller.threads import in_thread

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_LOOKS = 5
# File times advance in ticks of up to 10 ms: two writes within one leave the same time behind.
_TICK_NS = 20_000_000
_CHUNK = 1 << 20
_COMPARED = 4 << 30  # larger files than any dataset is allowed to be


class _Written(Exception):
    """A file was written to while it was read, or so lately that nobody could tell."""


def _never_whole(path: str) -> Unreadable:
    return Unreadable(f"{quoted(path)} changed while it was read", code="GT407", hint="Try again.")


class WorktreeTree(OneByOne):
    """The files below a folder as they are when they are asked for."""

    revision: str | None = None  # nobody can name this state again

    def __init__(self, root: Path) -> None:
        self._root = root

    def entries(self) -> Sequence[Entry]:
        """Every path below the root, sorted, ``.git`` left out. Raises `SourceError` where one cannot be listed."""
        try:
            return tuple(sorted(_walk(self._root), key=lambda entry: entry.path))
        except OSError as error:
            place = os.fsdecode(error.filename) if error.filename else str(self._root)
            raise SourceError(
                f"{place} cannot be listed: {error.strerror}", hint="Nothing counts as removed while this is so."
            ) from error

    def read(self, path: str, limit: int) -> bytes:
        """A file's bytes. Raises `Unreadable` (GT401 to GT409, GT420, GT421); a file over ``limit`` is not read."""
        for _ in range(_LOOKS):
            with suppress(_Written), self._settled(path, limit) as (descriptor, size):
                return b"".join(_pieces(descriptor, size))
            time.sleep(_TICK_NS / 1e9)
        raise _never_whole(path)

    def chunks(self, path: str, limit: int) -> Iterator[bytes]:
        """As `read`, piece by piece; of a file that is written to meanwhile some come before it is refused."""
        for _ in range(_LOOKS):
            began = False
            try:
                with self._settled(path, limit) as (descriptor, size):
                    began = True
                    yield from _pieces(descriptor, size)
                    return
            except _Written as error:
                if began:
                    raise _never_whole(path) from error
            time.sleep(_TICK_NS / 1e9)
        raise _never_whole(path)

    @contextmanager
    def _settled(self, path: str, limit: int) -> Iterator[tuple[int, int]]:
        """The file's descriptor and size. Raises `_Written`, also at the end."""
        with self._opened(path) as (descriptor, device):
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                raise of_kind(path, EntryKind.OTHER)
            if before.st_dev != device:
                raise Unreadable(f"{quoted(path)} is on another file system", code="GT421", hint="Copy the file here.")
            if before.st_size > limit:
                raise too_large(path, before.st_size, limit)
            if abs(time.time_ns() - before.st_mtime_ns) < _TICK_NS:
                raise _Written
            yield descriptor, before.st_size
            after = os.fstat(descriptor)
            if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
                raise _Written

    @contextmanager
    def _opened(self, path: str) -> Iterator[tuple[int, int]]:
        """The file's descriptor and the root's device, each folder on the way opened without following a link."""
        *folders, name = path.split("/")
        held = [os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)]
        try:
            device = os.fstat(held[0]).st_dev
            for index, folder in enumerate(folders):
                if (kind := _kind_before_opening(path, held[-1], folder)) is not None:
                    raise below(path, kind, "/".join(folders[: index + 1]))
                held.append(os.open(folder, _FOLDER, dir_fd=held[-1]))
            kind = _kind_before_opening(path, held[-1], name)
            if kind is not EntryKind.FILE:
                raise is_folder(path) if kind is None else of_kind(path, kind)
            held.append(os.open(name, _FILE, dir_fd=held[-1]))
            yield held[-1], device
        except OSError as error:
            raise self._unreadable(path, error) from error
        finally:
            for descriptor in reversed(held):
                os.close(descriptor)

    def _unreadable(self, path: str, error: OSError) -> ControllerError:
        if error.errno in {errno.ENOENT, errno.ENOTDIR}:
            known: Sequence[Entry] = ()
            with suppress(SourceError):
                known = self.entries()
            return not_found(path, (entry.path for entry in known))
        if error.errno == errno.ELOOP:  # a link took the place of what was just looked at
            return of_kind(path, EntryKind.SYMLINK)
        return Unreadable(
            f"{quoted(path)} cannot be read: {error.strerror}", code="GT409", hint="Check its permissions."
        )


class WorktreeSource:
    """The working tree that ``root`` is in: from the top of its repository, or outside git from ``root`` itself.

    What changes below an ``ignored`` path (relative to that top) does not change the tip.
    """

    def __init__(self, root: Path, ignored: tuple[str, ...] = ()) -> None:
        self._given = root
        self._ignored = ignored

    def read_tree(self, revision: str | None = None) -> WorktreeTree:
        """The files as they are now. Raises `SourceError`, also for a revision: a working tree has none."""
        if revision is not None:
            raise SourceError("a working tree has no revisions", hint="Read a commit instead.")
        return WorktreeTree(top_of(self._given))

    async def tree(self, revision: str | None = None) -> WorktreeTree:
        """As `read_tree`."""
        return await in_thread(self.read_tree, revision)

    async def tip(self) -> str:
        """A digest over path, size and time of every file. Raises `SourceError`."""
        return await in_thread(_stamp, top_of(self._given), self._ignored)

    async def relations(self, revision: str, others: frozenset[str]) -> Mapping[str, Relation]:  # noqa: ARG002 - the port's
        """A working tree has no history: it stands apart from every revision."""
        return dict.fromkeys(others, Relation.APART)

    async def landings(self, revision: str, since: str, paths: frozenset[str], most: int) -> Sequence[Landing]:  # noqa: ARG002 - as every source has it
        """A working tree has no history. Raises `SourceError`."""
        raise SourceError("a working tree has no history", hint="Work on commits.")

    async def described(self, commits: frozenset[str]) -> Mapping[str, Landing]:  # noqa: ARG002 - the port's
        """A working tree knows no commits."""
        return {}

    async def identity(self) -> str | None:
        """None: files on disk name no repository."""
        return None

    async def close(self) -> None:
        """Nothing is held open."""
        self.release()

    def release(self) -> None:
        """As `close`."""


def top_of(folder: Path) -> Path:
    """The root of the working tree a folder is in; outside git the folder. Raises `SourceError`."""
    if not folder.is_dir():
        raise SourceError(f"{folder} is not a folder", hint="Name one with --root.")
    with translated(SourceError):
        found = find_repository(folder)
    if found is None:
        return folder.resolve()
    if found.top is None:
        hint = "Leave out --worktree, so that its HEAD is read, or start in a clone of it."
        raise SourceError(f"{folder} is a bare repository: it has no working tree", hint=hint)
    return found.top


def has_files(folder: Path) -> bool:
    """Whether there are files on disk to read: a bare repository has only commits. Raises `SourceError`."""
    with translated(SourceError):
        found = find_repository(folder)
    return found is None or found.top is not None


def differing(committed: Tree, working: Tree, paths: Sequence[str]) -> tuple[str, ...]:
    """Those of the paths whose bytes are not the same in both trees; missing on one side counts, on both does not."""
    known = {entry.path: entry.content for entry in committed.entries()}
    here = {entry.path: entry.content for entry in working.entries()}
    same = {path for path, content in here.items() if content and content == known.get(path)}
    return tuple(path for path in paths if path not in same and _summary(committed, path) != _summary(working, path))


def _summary(tree: Tree, path: str) -> str:
    """What stands for the bytes of a file, or for why it cannot be read."""
    made = hashlib.sha256()
    try:
        for piece in tree.chunks(path, _COMPARED):
            made.update(piece)
    except Unreadable as error:
        return error.code
    return made.hexdigest()


def _stamp(root: Path, ignored: tuple[str, ...]) -> str:
    """What changes with every change of a file, as long as its writer does not set its times back."""
    digest = hashlib.sha256(str(root.stat().st_ino).encode())
    try:
        for entry in sorted(_walk(root), key=lambda entry: entry.path):
            if not any(f"{entry.path}/".startswith(f"{path}/") for path in ignored):
                digest.update(f"{entry.path}\0{entry.kind}\0{entry.size}\0{_times(root, entry)}\n".encode())
    except OSError as error:
        raise SourceError(f"{root} cannot be listed: {error.strerror}") from error
    return digest.hexdigest()


def _times(root: Path, entry: Entry) -> str:
    try:
        facts = (root / entry.path).lstat()
    except OSError:
        return ""
    return f"{facts.st_mtime_ns} {facts.st_ctime_ns} {facts.st_ino}"


def _walk(root: Path) -> Iterator[Entry]:
    device = root.stat().st_dev
    folders = [""]
    while folders:
        prefix = folders.pop()
        with os.scandir(root / prefix) as found:
            here = [item for item in found if item.name != ".git"]
        for item in here:
            path = prefix + item.name
            facts = item.stat(follow_symlinks=False)
            kind = _kind(facts.st_mode) or _nested(item, same=facts.st_dev == device)
            if kind is None:
                folders.append(f"{path}/")
            else:
                yield Entry(_shown(path), kind if _shown(path) == path else EntryKind.OTHER, facts.st_size)


def _nested(folder: os.DirEntry[str], *, same: bool) -> EntryKind | None:
    """What a folder is that is not looked into: another file system, or a repository inside ours."""
    if not same:
        return EntryKind.OTHER
    return EntryKind.SUBMODULE if os.path.lexists(f"{folder.path}/.git") else None


def _kind_before_opening(path: str, folder: int, name: str) -> EntryKind | None:
    """What a name in an open folder is, None for a folder: opening a device can already do something."""
    if name in {"", ".", "..", ".git"}:
        raise not_found(path, ())
    kind = _kind(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    if kind is None:
        with suppress(OSError):
            os.stat(f"{name}/.git", dir_fd=folder, follow_symlinks=False)
            return EntryKind.SUBMODULE
    return kind


def _shown(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _kind(mode: int) -> EntryKind | None:
    """What an entry is; None for a folder."""
    if stat.S_ISDIR(mode):
        return None
    if stat.S_ISREG(mode):
        return EntryKind.FILE
    return EntryKind.SYMLINK if stat.S_ISLNK(mode) else EntryKind.OTHER


def _pieces(descriptor: int, size: int) -> Iterator[bytes]:
    while size > 0 and (piece := os.read(descriptor, min(_CHUNK, size))):
        size -= len(piece)
        yield piece
    if size:
        raise _Written

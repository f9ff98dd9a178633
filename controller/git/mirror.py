"""A repository of our own, which borrows a foreign one's objects and refs or keeps what is fetched: read, written."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from controller.git.blobs import BlobReader
from controller.git.failures import GitFailed, NotFound
from controller.git.layout import RepositoryLayout, config, head, object_format, shallow_commits
from controller.git.parsing import (
    DESCRIBED_FORMAT,
    LANDED_FORMAT,
    SHA1,
    SHA256,
    LandedCommit,
    TreeEntry,
    is_commit_id,
    parse_landings,
    parse_tree,
    split_revision,
)
from controller.git.process import Ask, GitOutput, run

# unpackLimit: a pack appears whole or not at all, while loose objects of a killed fetch would look like a commit.
# fsync: the record has to outlive a power cut, since what is paid for rests on it.
_CONFIG: Final = """[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
\tlogAllRefUpdates = false
\tfilesRefLockTimeout = 2000
\tfsync = committed,loose-object
[gc]
\tauto = 0
[fetch]
\tunpackLimit = 1
[transfer]
\tfsckObjects = true
"""
# What git 2.29 and newer take for a repository that names its objects by SHA-256.
_BY_SHA256: Final = (
    _CONFIG.replace("formatversion = 0", "formatversion = 1") + "[extensions]\n\tobjectFormat = sha256\n"
)
_PACKS: Final = 50
_WHOLE: Final = 4 << 20  # bytes: a larger blob is worth a process of its own
# Nothing of ours is called so: HEAD only has to be there for git to take the folder for a repository.
_HEAD: Final = "ref: refs/heads/gitune-none\n"


class Mirror:
    """A git folder that only we write. Its configuration is constant and it has no hooks and no attributes.

    Where it stands for a local repository its ``refs``, ``packed-refs`` and ``shallow`` are links to that one's, and
    its alternates name that one's objects: git reads and swaps the foreign refs by its own rules, and neither
    configuration nor hook of the foreign repository is ever looked at.
    """

    def __init__(self, path: Path, repository: RepositoryLayout | None = None, algorithm: str = SHA1) -> None:
        self.path = path
        self.repository = repository
        self.algorithm = algorithm  # by what objects are named
        self._blobs = BlobReader(path)

    def ask(self, *words: str) -> GitOutput:
        """A git command here, whatever its exit code."""
        return run(Ask(words, self.path))

    async def write(self, *words: str, stdin: bytes = b"", more: Mapping[str, str] | None = None) -> GitOutput:
        """A git command that writes into the store of the repository this stands for, whatever its exit code.

        ``more`` is added to its environment.
        """
        from controller.git import awaited  # noqa: PLC0415 - who only reads needs no event loop

        given = dict(more or {})
        if self.repository is not None:
            given["GIT_OBJECT_DIRECTORY"] = os.fspath(self.repository.objects)
        return await awaited.run(Ask(words, self.path, stdin=stdin, environment=given))

    def commit(self, revision: str) -> str:
        """The id of the commit a revision names (HEAD is the foreign repository's). Raises `NotFound`."""
        name, steps = split_revision(revision)
        if name == "HEAD" and self.repository is not None:
            name = head(self.repository)
        if found := self._resolve(f"{name}{steps}^{{commit}}"):
            return found
        if revision == "HEAD" and name.startswith("refs/"):
            hint = "Commit the specs; where there are none yet, `gitune init` writes a first one."
            raise NotFound(f"the branch {name.removeprefix('refs/heads/')} has no commit yet", hint=hint)
        raise NotFound(
            f"there is no commit {revision!r} here",
            hint="A shallow clone has only a few: fetch the branch or commit first, or use a whole clone.",
        )

    def _resolve(self, name: str) -> str | None:
        answer = self.ask("rev-parse", "--verify", "--quiet", "--end-of-options", name)
        return answer.text if answer.code == 0 and is_commit_id(answer.text) else None

    def is_ancestor(self, first: str, second: str) -> bool:
        """Whether one commit is among the ancestors of another; False too where either is not here."""
        if not (is_commit_id(first) and is_commit_id(second)):
            return False
        return (self.ask("merge-base", "--is-ancestor", "--end-of-options", first, second)).code == 0

    def ancestors(self, commit: str, among: frozenset[str]) -> frozenset[str]:
        """Those of some commits that are among the ancestors of one, with one walk through all of them."""
        answer = self.ask("rev-list", "--end-of-options", commit)
        return among & frozenset(answer.raise_for_code().out.decode("ascii").split())

    def landings(self, commit: str, since: str, paths: frozenset[str], most: int) -> tuple[LandedCommit, ...]:
        """The first-parent history of a commit, the newest first, that ``since`` ("" for nothing) does not have.

        With paths only the commits that changed one of them over their first parent. Raises `GitFailed`.
        """
        words = ["log", "-z", f"--max-count={most}", "--first-parent", f"--format={LANDED_FORMAT}", commit]
        words += [f"^{since}"] if since else []
        words += ["--", *(f":(top,literal){path}" for path in sorted(paths))]
        return parse_landings((self.ask(*words)).raise_for_code().out)

    def described(self, commits: frozenset[str]) -> tuple[LandedCommit, ...]:
        """These commits with the first line of their messages; those that are not here are left out.

        Raises `GitFailed`.
        """
        if not (known := sorted(filter(is_commit_id, commits))):
            return ()
        words = ("log", "-z", "--no-walk=unsorted", "--ignore-missing", f"--format={DESCRIBED_FORMAT}")
        return parse_landings((self.ask(*words, *known, "--")).raise_for_code().out)

    def knows(self, commit: str) -> bool:
        """Whether a commit is here; its tree may be missing, as in a partial clone."""
        return self._resolve(f"{commit}^{{commit}}") is not None

    def root_commit(self) -> str | None:
        """The id of the commit that HEAD's chain of first parents starts with; None where it is not here."""
        try:
            start = self.commit("HEAD")
        except NotFound:
            return None
        answer = self.ask("rev-list", "--first-parent", "--max-parents=0", "--end-of-options", start)
        root = answer.text.split("\n")[-1] if answer.code == 0 else ""
        if self.repository is None or not is_commit_id(root) or root in shallow_commits(self.repository):
            return None
        return root

    def ref(self, ref: str) -> str | None:
        """The commit id a full ref name stands on; None where there is no such ref."""
        return _loose(self.path / ref) or self._resolve(ref)

    def written(self, commit: str) -> str:
        """When a commit was made (RFC 3339 UTC, whole seconds). Raises `GitFailed`."""
        answer = self.ask("log", "-1", "--no-show-signature", "--format=%ct", "--end-of-options", commit, "--")
        seconds = int(answer.raise_for_code().text)
        return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")

    def has(self, commit: str) -> bool:
        """Whether a commit and its tree are here."""
        return self._resolve(f"{commit}^{{tree}}") is not None

    def tree(self, commit: str, *folders: str) -> tuple[TreeEntry, ...]:
        """Every path of a commit, or of some folders in it.

        Raises `GitFailed`; looks twice, since objects move while somebody packs them.
        """
        words = ("ls-tree", "-r", "-z", "-l", "--full-tree", "--end-of-options", commit, *(f"{f}/" for f in folders))
        answer = self.ask(*words)
        if answer.code != 0:
            answer = self.ask(*words)
        return parse_tree(answer.raise_for_code().out)

    def blob(self, entry: TreeEntry) -> bytes:
        """The bytes of an entry that is a file. Raises `NotFound` where a partial clone left it out, `GitFailed`."""
        (found,) = self.blobs((entry,))
        if isinstance(found, GitFailed):
            raise found
        return found

    def blobs(self, entries: Sequence[TreeEntry]) -> Iterator[bytes | GitFailed]:
        """The bytes of each entry, all of them files, or why it cannot be read, in this order; many at a time."""
        here = self._blobs.read_many([(entry.oid, entry.size) for entry in entries if entry.size is not None])
        for entry in entries:
            yield next(here) if entry.size is not None else _left_out(entry)

    def pieces(self, entry: TreeEntry) -> Iterator[bytes]:
        """The bytes of an entry that is a file, of any size, piece by piece. Raises as `blob`."""
        if entry.size is None or entry.size <= _WHOLE:
            yield self.blob(entry)
            return
        # GitPython takes a fifth of a second to import, and asks for git while it does.
        from controller.git.objects import pieces  # noqa: PLC0415 - only those who read what is large pay for it

        yield from pieces(self.path, entry.oid, entry.size)

    def tidy(self, most: int = _PACKS) -> None:
        """Put the packs of many fetches into one; what is young stays, since a commit may be on its way."""
        if len(list((self.path / "objects" / "pack").glob("*.pack"))) > most:
            (self.ask("repack", "-a", "-d", "-q")).raise_for_code()
            (self.ask("prune", "--expire=1.hour.ago")).raise_for_code()

    def turn_to(self, algorithm: str) -> None:
        """Name objects so from now on. What was fetched is thrown away: a repository has one way only."""
        self.close()
        for name in ("objects", "refs/gitune"):
            shutil.rmtree(self.path / name, ignore_errors=True)
        for name in ("objects/info", "objects/pack"):
            (self.path / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.path / "shallow").unlink(missing_ok=True)
        _write_if_different(self.path / "config", _BY_SHA256 if algorithm == SHA256 else _CONFIG)
        self.algorithm = algorithm

    def close(self) -> None:
        """End what reads objects."""
        self._blobs.close()


def _left_out(entry: TreeEntry) -> NotFound:
    name = entry.path.decode("utf-8", "backslashreplace")
    hint = "A partial clone leaves content out: use a whole clone."
    return NotFound(f"the content of {name} is not in this clone", hint=hint)


def mirror_of(repository: RepositoryLayout, home: Path) -> Mirror:
    """Our view of a local repository, made where it is not there yet. Raises `NoRepository`, `GitFailed`."""
    algorithm = object_format(repository, config(repository))
    if any(c in str(repository.objects) for c in '"\n'):
        raise GitFailed(
            f"{repository.objects} has a quote or a line feed in its name, which git's alternates cannot say"
        )
    links = {name: repository.common / name for name in ("refs", "packed-refs", "shallow")}
    key = str(repository.git_dir) if algorithm == SHA1 else f"{algorithm} {repository.git_dir}"
    path = _make(home, key, f"{repository.objects}\n", links, algorithm)
    return Mirror(path, repository, algorithm)


def mirror_for(address: str, home: Path) -> Mirror:
    """Our keep for what is fetched from a network address. Raises `GitFailed` where it cannot be written."""
    path = _make(home, address, "", {}, SHA1)
    return Mirror(path, None, SHA256 if (path / "config").read_text() == _BY_SHA256 else SHA1)


def _make(home: Path, key: str, alternates: str, links: dict[str, Path], algorithm: str) -> Path:
    """The folder, built beside its place and renamed, so that nobody ever finds half of one."""
    mirrors = home.absolute() / "mirrors"
    path = mirrors / hashlib.sha256(os.fsencode(key)).hexdigest()[:40]
    try:
        mirrors.mkdir(mode=0o700, parents=True, exist_ok=True)
        _only_ours(mirrors)
        if not (path / "HEAD").is_file():
            with tempfile.TemporaryDirectory(prefix=".new-", dir=mirrors) as scratch:
                new = Path(scratch) / "git"
                _fill(new, links, algorithm)
                with contextlib.suppress(OSError):  # somebody else was faster: theirs is as good
                    new.rename(path)
        _write_if_different(path / "objects" / "info" / "alternates", alternates)
        for name, target in links.items():
            _link(path / name, target)
    except OSError as error:
        raise GitFailed(
            f"Gitune's data folder {mirrors} cannot be written: {error.strerror}",
            hint="Set GITUNE_HOME to a folder that can be.",
        ) from error
    return path


def _only_ours(mirrors: Path) -> None:
    """A folder somebody else may write could hold a configuration of theirs under a name we are about to use."""
    facts = mirrors.stat()
    if facts.st_uid != os.geteuid() or facts.st_mode & 0o022:
        raise GitFailed(
            f"{mirrors} can be written by other users", hint="Set GITUNE_HOME to a folder that is yours alone."
        )


def _fill(new: Path, links: dict[str, Path], algorithm: str) -> None:
    (new / "objects" / "info").mkdir(parents=True, mode=0o700)
    (new / "objects" / "pack").mkdir(mode=0o700)
    new.chmod(0o700)
    (new / "config").write_text(_BY_SHA256 if algorithm == SHA256 else _CONFIG)
    for name, target in links.items():
        (new / name).symlink_to(target)
    if not links:
        (new / "refs" / "heads").mkdir(parents=True)
    (new / "HEAD").write_text(_HEAD)


def _link(path: Path, target: Path) -> None:
    """Point the link at its target again where it points elsewhere, in one step."""
    if path.is_symlink() and path.readlink() == target:
        return
    with tempfile.TemporaryDirectory(prefix=".new-", dir=path.parent) as scratch:
        new = Path(scratch) / "link"
        new.symlink_to(target)
        new.replace(path)


def _write_if_different(path: Path, text: str) -> None:
    if path.is_file() and path.read_text() == text:
        return
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as new:
        new.write(text)
    Path(new.name).replace(path)


def _loose(path: Path) -> str | None:
    """The commit id in the file of a ref, which counts before all that is packed; None for whatever git has to tell."""
    try:
        text = path.read_bytes().decode("ascii").removesuffix("\n")
    except (OSError, UnicodeDecodeError):
        return None
    return text if is_commit_id(text) else None

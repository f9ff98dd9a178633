"""A working tree to what git takes for changed in it, and its bytes to those that a commit of them would hold.

Git itself decides, in a git folder of ours: it borrows the objects and reads the index and the attributes, while of the
repository's configuration only settings without a command in them are handed on. So no filter of it is ever run.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controller.git.failures import GitFailed
from controller.git.layout import RepositoryLayout, config, config_file, object_format
from controller.git.parsing import SHA256
from controller.git.process import Ask, GitOutput, run

_SETTINGS: Final = (
    *("core.autocrlf", "core.eol", "core.filemode", "core.trustctime", "core.checkstat", "core.ignorecase"),
    *("core.symlinks", "core.precomposeunicode"),
)
_CONVERTING: Final = ("text", "eol", "crlf", "ident", "working-tree-encoding")
_UNSET: Final = frozenset({"unspecified", "unset"})
_POINTER: Final = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\n")


@dataclass(frozen=True, slots=True)
class Checkin:
    """One working tree of a repository. ``environ`` says where the user's own configuration lies."""

    repository: RepositoryLayout
    top: Path
    environ: Mapping[str, str]

    def changed(self, commit: str) -> frozenset[str]:
        """The tracked paths whose working tree is not as in a commit, as `git diff` has it. Raises `GitFailed`.

        So the index counts: what git may assume unchanged, and what a sparse checkout leaves out, is unchanged.
        """
        words = (
            "diff",
            "--name-only",
            "-z",
            "--no-renames",
            "--no-ext-diff",
            "--no-textconv",
            "--ignore-submodules=all",
        )
        with self._git() as git:
            answer = git.ask((*words, "--end-of-options", commit, "--"))
        return frozenset(answer.raise_for_code().out.decode("utf-8", "backslashreplace").split("\0")) - {""}

    def converted(self, path: str, content: bytes) -> bytes:
        """What a commit would hold of a file: line ends, encoding and keywords as its attributes ask for.

        Of a file that Git LFS would take the pointer. Any other filter is not run. Raises `GitFailed` where git cannot
        convert it.
        """
        with self._git() as git:
            wanted = git.attributes(path)
            if _is_large(wanted) and not _POINTER.match(content):
                return _pointer(content)
            return git.stored(path, content) if git.converts(wanted) else content

    def converts(self, path: str) -> bool:
        """Whether `converted` may give other bytes than a file has. Raises `GitFailed`."""
        with self._git() as git:
            wanted = git.attributes(path)
            return _is_large(wanted) or git.converts(wanted)

    @contextmanager
    def _git(self) -> Iterator[_Scratch]:
        """A git folder of ours that sees the repository's objects, index and attributes."""
        settings = self._settings()
        with tempfile.TemporaryDirectory(prefix="gitune-checkin-") as scratch:
            folder = Path(scratch)
            algorithm = object_format(self.repository, config(self.repository))
            _fill(folder, algorithm, self.repository.common / "info" / "attributes")
            given = {
                "GIT_WORK_TREE": os.fspath(self.top),
                "GIT_INDEX_FILE": os.fspath(self.repository.git_dir / "index"),
                "GIT_ALTERNATE_OBJECT_DIRECTORIES": os.fspath(self.repository.objects),
            }
            yield _Scratch(folder, given, settings)

    def _settings(self) -> tuple[tuple[str, str], ...]:
        """What the user and the repository say of line ends and file times, the repository last."""
        said: dict[str, str] = {}
        for source in (*_own_configurations(self.environ), self.repository.common / "config"):
            with suppress(GitFailed, OSError):
                found = config_file(source)
                said |= {name: values[-1] for name, values in found.items() if name in _SETTINGS}
        if attributes := _own_attributes(self.environ):
            said["core.attributesfile"] = os.fspath(attributes)
        return tuple(said.items())


@dataclass(frozen=True, slots=True)
class _Scratch:
    folder: Path
    given: Mapping[str, str]
    settings: tuple[tuple[str, str], ...]

    def converts(self, wanted: Mapping[str, str]) -> bool:
        """Whether a file of these attributes is converted; its line ends may be without any."""
        by_itself = dict(self.settings).get("core.autocrlf", "").lower() in {"true", "input", "yes", "on", "1"}
        return by_itself or any(wanted.get(name, "unspecified") not in _UNSET for name in _CONVERTING)

    def ask(self, words: tuple[str, ...], stdin: bytes = b"") -> GitOutput:
        return run(Ask(words, self.folder, stdin, settings=self.settings, environment=self.given))

    def attributes(self, path: str) -> dict[str, str]:
        words = ("check-attr", "-z", "--stdin", "filter", *_CONVERTING)
        answer = self.ask(words, os.fsencode(path) + b"\0").raise_for_code()
        fields = answer.out.decode("utf-8", "backslashreplace").split("\0")
        return dict(zip(fields[1::3], fields[2::3], strict=False))

    def stored(self, path: str, content: bytes) -> bytes:
        # Written below our own folder, and gone with it. This command looks for attributes from where it stands.
        words = ("-C", self.given["GIT_WORK_TREE"], "hash-object", "-w", "--stdin", f"--path={path}")
        written = self.ask(words, content)
        oid = written.raise_for_code().text
        return self.ask(("cat-file", "blob", oid)).raise_for_code().out


def _fill(folder: Path, algorithm: str, attributes: Path) -> None:
    for name in ("objects", "refs", "info"):
        (folder / name).mkdir()
    (folder / "HEAD").write_text("ref: refs/heads/none\n")
    version, more = (1, "[extensions]\n\tobjectFormat = sha256\n") if algorithm == SHA256 else (0, "")
    (folder / "config").write_text(f"[core]\n\trepositoryformatversion = {version}\n\tsafecrlf = false\n{more}")
    if attributes.is_file():
        (folder / "info" / "attributes").write_bytes(attributes.read_bytes())


def _own_configurations(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The machine's and the user's configuration files, in the order git reads them."""
    system = () if environ.get("GIT_CONFIG_NOSYSTEM") else (Path("/etc/gitconfig"),)
    if "GIT_CONFIG_GLOBAL" in environ:
        return (*system, Path(environ["GIT_CONFIG_GLOBAL"]))
    home = Path(environ.get("HOME") or os.devnull)
    return (*system, _folder(environ) / "config", home / ".gitconfig")


def _own_attributes(environ: Mapping[str, str]) -> Path | None:
    found = _folder(environ) / "attributes"
    return found if found.is_file() else None


def _folder(environ: Mapping[str, str]) -> Path:
    home = Path(environ.get("HOME") or os.devnull)
    return Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "git"


def _is_large(wanted: Mapping[str, str]) -> bool:
    return wanted.get("filter") == "lfs"


def _pointer(content: bytes) -> bytes:
    """What Git LFS commits of a file: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md."""
    digest = hashlib.sha256(content).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(content)}\n".encode()

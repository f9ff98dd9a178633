"""The verdicts on a model's answers to a file of the data folder, and back: digests of rows, never a word of one."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from controller.ports import Verdict

_LINE = re.compile(rf"([0-9a-f]{{64}}) ({'|'.join(Verdict)})")
_MOST = 200  # models whose verdicts are kept: each was paid for, and an evaluation takes minutes


class FolderVerdicts:
    """A file for each subject, a line for each row, written as soon as it is known.

    What cannot be read or written is not kept, and its rows are asked again: no evaluation fails for it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, subject: str) -> Mapping[str, Verdict]:
        """The verdicts of a subject (64 hex digits) by the digest of their row; a torn line counts as none."""
        try:
            lines = self._file(subject).read_text("ascii", "replace").splitlines()
        except OSError:
            return {}
        return {found[1]: Verdict(found[2]) for line in lines if (found := _LINE.fullmatch(line))}

    def keep(self, subject: str, row: str, verdict: Verdict) -> None:
        """Add one."""
        with suppress(OSError):
            if not self._file(subject).exists():
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._make_room()
            # One write to the end of the file: several processes may evaluate the same model. The line begins afresh
            # behind one that was torn.
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self._file(subject), flags, 0o600)
            try:
                os.write(descriptor, f"\n{row} {verdict}\n".encode())
            finally:
                os.close(descriptor)

    def forget(self, subject: str) -> None:
        """Drop those of a subject."""
        with suppress(OSError):
            self._file(subject).unlink()

    def _make_room(self) -> None:
        files = sorted(self._folder.glob("*.txt"), key=lambda path: path.stat().st_mtime)
        for path in files[: max(0, len(files) + 1 - _MOST)]:
            path.unlink(missing_ok=True)

    def _file(self, subject: str) -> Path:
        return self._folder / f"{subject}.txt"

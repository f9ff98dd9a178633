"""The bytes of a file to the Git LFS pointer that it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from controller.errors import Unreadable

# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
LARGEST_POINTER: Final = 1024
_FIRST: Final = re.compile(rb"version https://(?:git-lfs|hawser)\.github\.com/spec/")
_POINTER: Final = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize (0|[1-9][0-9]{0,18})\n?"
)


@dataclass(frozen=True, slots=True)
class LfsPointer:
    """What a commit holds in place of the data: its SHA-256 and its size in bytes."""

    oid: str
    size: int


def parse_pointer(data: bytes) -> LfsPointer | None:
    """The pointer that a file is; None for any other. Raises `Unreadable` (GT429) for one that is not followed."""
    if len(data) > LARGEST_POINTER or not _FIRST.match(data):
        return None
    found = _POINTER.fullmatch(data)
    if found is None:
        raise Unreadable(
            "this is a Git LFS pointer of a kind that is not followed",
            code="GT429",
            hint="Version 1 with a sha256 and without extensions is: commit the file anew with a current git-lfs.",
        )
    return LfsPointer(found[1].decode(), int(found[2]))

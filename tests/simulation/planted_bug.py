"""What a planted bug is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Planted:
    """``old`` stands once in ``file`` (below controller/) and becomes ``new``; ``by`` are the promises that may notice.

    Several, since a bug that pays twice may first be noticed by a create that nothing explains.
    """

    name: str
    file: str
    old: str
    new: str
    by: tuple[str, ...]

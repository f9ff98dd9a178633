"""Readings of trees kept by revision and by content, to a reading in which nothing is read twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from controller.engine.desire import Kept, read_desired
from controller.ports import Capabilities, Tree
from controller.settings import Settings
from controller.state.desired import Desired
from controller.state.reasons import Reason


@dataclass(frozen=True, slots=True)
class _Kept:
    revision: str
    settings: Settings
    capabilities: Mapping[str, Capabilities]
    desired: Desired


class Readings:
    """The last reading of a commit. A commit never says anything else, so its reading need not be taken again.

    Of another commit only what differs is read.
    """

    def __init__(self) -> None:
        self._kept: _Kept | None = None
        self._pieces = Kept()

    async def read(self, tree: Tree, settings: Settings, capabilities: Mapping[str, Capabilities]) -> Desired:
        """As `read_desired`. What could not be read whole is not kept: it may be there the next time."""
        kept, revision = self._kept, tree.revision
        if kept is not None and (kept.revision, kept.settings, kept.capabilities) == (revision, settings, capabilities):
            return kept.desired
        desired = await read_desired(tree, settings, capabilities, self._pieces)
        if revision is not None and desired.complete and not _may_come(desired):
            self._kept = _Kept(revision, settings, dict(capabilities), desired)
        return desired


def _may_come(desired: Desired) -> bool:
    """Whether something was not there that a fetch may bring: a partial clone grows."""
    return any(model.reason is Reason.DATASET_UNREACHABLE for model in desired.invalid)

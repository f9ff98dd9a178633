"""The files a command read on disk to those of them that are not as in HEAD."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from controller.cli.options import GlobalOptions
from controller.errors import ControllerError
from controller.ports import Tree
from controller.report.formatting import listed
from controller.settings import SETTINGS_FILE
from controller.source.tree import differing
from controller.specs.loading import spec_paths
from controller.state.desired import DesiredModel
from controller.wiring import Where, source_of

_NAMED_FILES = 5


class Against(Enum):
    """What the files on disk can be compared with."""

    HEAD = "head"
    NO_COMMIT = "no commit"
    NO_GIT = "no git"


@dataclass(frozen=True, slots=True)
class Compared:
    """What the files were compared with, and the paths that ``differ``."""

    against: Against
    differ: tuple[str, ...] = ()

    def sentence(self, what: str) -> str:
        """How ``what`` was made of other files than apply acts on; "" where it was not."""
        return f"{what} the working tree, apply acts on HEAD; they differ in {self._paths}" if self.differ else ""

    @property
    def left_out(self) -> str:
        """What apply has not acted on; "" where that is nothing."""
        return f"apply acted on HEAD: the working tree differs in {self._paths}" if self.differ else ""

    @property
    def _paths(self) -> str:
        left = len(self.differ) - _NAMED_FILES
        return listed([*self.differ[:_NAMED_FILES], *([f"{left} more"] if left > 0 else [])])


NO_COMMIT: Final = Compared(Against.NO_COMMIT)


async def compared(asked: GlobalOptions, working: Tree, patterns: Sequence[str], more: Iterable[str] = ()) -> Compared:
    """How gitune.yaml, the files that fit a pattern and some ``more`` on disk stand to HEAD. Nothing is raised."""
    source = None
    try:
        source = source_of(Where(asked.folder))
        head = await source.tree()
        if head.revision is None:
            return Compared(Against.NO_GIT)
        both = [entry.path for tree in (head, working) for entry in tree.entries()]
        settings = () if asked.config else (SETTINGS_FILE,)
        paths = sorted({*settings, *spec_paths(patterns, both), *more})
        return Compared(Against.HEAD, differing(head, working, paths))
    except ControllerError:
        return NO_COMMIT
    finally:
        if source is not None:
            await source.close()


def datasets(models: Iterable[DesiredModel]) -> tuple[str, ...]:
    """The dataset files of some models, those of their evaluations among them, without those at a uri."""
    return tuple(
        path
        for model in models
        for path in (model.dataset.path, *((model.evaluation.dataset.path,) if model.evaluation else ()))
        if "://" not in path
    )

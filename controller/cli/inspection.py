"""A dataset file on disk to what it is taken for; needs no spec, no repository and no provider."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from controller.cli.exit_codes import ExitCode
from controller.cli.options import DataAct, GlobalOptions
from controller.cli.output import begin
from controller.dataset.inspection import inspect
from controller.dataset.reading import Source
from controller.dataset.rows import Layout
from controller.errors import Severity, Unreadable
from controller.report.render_inspection import inspection_json, inspection_markdown, inspection_text

_CHUNK = 1 << 20


def inspect_dataset(asked: GlobalOptions, act: DataAct, path: Path, *, evaluation: Path | None) -> int:
    """Show what a file is taken for, which is all that is done with one so far. Raises `Unreadable`."""
    del act
    screen = begin(asked)
    with screen.waiting("reading the rows"):
        apart = (_source(evaluation), str(evaluation)) if evaluation is not None else None
        found = inspect(_source(path), str(path), Layout(), apart)
    screen.show(
        text=lambda _: inspection_text(found),
        json=lambda: inspection_json(found),
        markdown=lambda: inspection_markdown(found),
    )
    return ExitCode.FAILED if any(p.severity is Severity.ERROR for p in found.problems) else ExitCode.WELL


def _source(path: Path) -> Source:
    def chunks() -> Iterator[bytes]:
        try:
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    yield chunk
        except OSError as error:
            message = f"{path} cannot be read: {error.strerror}"
            raise Unreadable(message, code="GT409", hint="Name a file that is there and may be read.") from None

    if not path.is_file():
        raise Unreadable(f"{path} is no file", code="GT401", hint="Name a dataset file.")
    return chunks

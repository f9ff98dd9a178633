"""The schemas of this release, printed or written over a repository's copies, and which copies are of another one."""

from __future__ import annotations

from pathlib import Path

from rich.text import Text

from controller.cli.exit_codes import ExitCode
from controller.cli.init import copies
from controller.cli.options import GlobalOptions, SchemaName
from controller.cli.output import Screen
from controller.errors import ControllerError
from controller.report.formatting import cell, terminal
from controller.source.tree import top_of
from controller.specs import schema as schemas


def schema(asked: GlobalOptions, name: SchemaName, *, refresh: bool) -> int:
    """Print one schema, or write the copies that `gitune init` makes. Raises `ControllerError`."""
    screen = Screen(asked)
    if not refresh:
        screen.write(schemas.text(f"{name}.json"))
        return ExitCode.WELL
    top = top_of(asked.folder)
    written = [path for path, text in copies().items() if _refreshed(top / path, text)]
    screen.show(
        text=lambda _: Text("\n".join(f"wrote {terminal(path)}" for path in written) or "nothing to write"),
        json=lambda: {"schemaVersion": 1, "written": written},
        markdown=lambda: "".join(f"- {cell(path)}\n" for path in written),
    )
    return ExitCode.WELL


def _refreshed(path: Path, text: str) -> bool:
    if path.is_symlink():
        raise ControllerError(f"{path} is a link", hint="Remove it: what it leads to is not written.")
    if path.is_file() and _is(path, text):
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", newline="\n")
    except OSError as error:
        hint = "See that the folder can be written to."
        raise ControllerError(f"{path} cannot be written: {error.strerror}", hint=hint) from error
    return True


def stale(top: Path) -> list[str]:
    """The copies in a repository that are not those of this release; one that is not there is none."""
    return [path for path, text in copies().items() if (top / path).is_file() and not _is(top / path, text)]


def _is(path: Path, text: str) -> bool:
    try:
        return path.read_bytes().replace(b"\r\n", b"\n") == text.encode()
    except OSError:
        return False

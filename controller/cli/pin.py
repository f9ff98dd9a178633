"""A spec file and what its uris hold now to the same file with their digests."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rich.text import Text

from controller.cli.exit_codes import ExitCode
from controller.cli.options import GlobalOptions
from controller.cli.output import begin
from controller.downloads.fetching import Fetching
from controller.engine.examples import DATASET_LIMIT
from controller.errors import ControllerError
from controller.report.formatting import terminal
from controller.specs.pinning import PinnedUri, pins_of, with_pins
from controller.wiring import Where, open_data

SCHEMA_VERSION: Final = 1
_LARGEST: Final = 1 << 20  # bytes; the YAML door refuses more


def pin(asked: GlobalOptions, spec: Path) -> int:
    """Write the digests of what is there now; exit 1, and nothing is written, where one cannot be read."""
    screen = begin(asked)
    data = _read(spec)
    pins = pins_of(data, str(spec))
    if not pins:
        raise ControllerError(f"{spec} has no dataset with a uri", hint="A path is pinned by its commit.")
    with screen.waiting("fetching the data"):
        digests = asyncio.run(_digests(open_data(Where(asked.folder, asked.config)), pins))
    new = with_pins(data, str(spec), digests)
    if new != data:
        _write(spec, data, new)
    screen.show(text=lambda _: _told(digests), json=lambda: _json(digests), markdown=lambda: _told(digests).plain)
    return ExitCode.WELL


async def _digests(fetching: Fetching, pins: Sequence[PinnedUri]) -> Mapping[PinnedUri, str]:
    return {one: await fetching.fetch(one.uri, None, DATASET_LIMIT) for one in pins}


def _read(spec: Path) -> bytes:
    """Raises `ControllerError`. A link is not followed: another file than the one that is named would be written."""
    try:
        if spec.is_symlink() or not spec.is_file():
            raise ControllerError(f"{spec} is not a file", hint="Name the YAML file of a spec.")
        with spec.open("rb") as file:
            return file.read(_LARGEST + 1)
    except OSError as error:
        raise ControllerError(f"{spec} cannot be read: {error.strerror}", hint="Check its permissions.") from error


def _write(spec: Path, old: bytes, new: bytes) -> None:
    """The whole file or none of it. Raises `ControllerError`, also where somebody wrote to it meanwhile."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{spec.name}.", dir=spec.parent)
        beside = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(new)
                file.flush()
                os.fsync(descriptor)
            beside.chmod(spec.stat().st_mode & 0o7777)
            if spec.read_bytes() != old:
                raise ControllerError(f"{spec} was changed meanwhile; nothing was written", hint="Pin it again.")
            beside.replace(spec)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise ControllerError(f"{spec} cannot be written: {error.strerror}", hint="Check its permissions.") from error


def _told(digests: Mapping[PinnedUri, str]) -> Text:
    return Text("\n".join(_line(one, digest) for one, digest in digests.items()))


def _line(one: PinnedUri, digest: str) -> str:
    was = "as it was" if one.sha256 == digest else f"was {one.sha256}" if one.sha256 else "it had no pin"
    return terminal(f"{one.place.file}:{one.place.line}: {one.uri.text} is pinned to {digest} ({was})", 1000)


def _json(digests: Mapping[PinnedUri, str]) -> object:
    return {
        "schemaVersion": SCHEMA_VERSION,
        "pins": [
            {
                "file": one.place.file,
                "line": one.place.line,
                "uri": one.uri.text,
                "sha256": digest,
                "before": one.sha256 or None,
            }
            for one, digest in digests.items()
        ],
    }

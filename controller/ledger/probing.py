"""A folder to whether a file can be made in it, by making one that has no name and goes at once."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

WRITABLE_HINT: Final = "Let the user who runs Gitune write there: without a record nothing is sent to a provider."


def probe(folders: Iterable[Path]) -> None:
    """Of a folder that is not there yet, the nearest one above is tried. Raises `OSError` with its name."""
    for folder in folders:
        place = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
        try:
            with tempfile.TemporaryFile(dir=place):
                pass
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(place)) from error

"""A real browser without a screen: Chromium, as the machine has it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--virtual-time-budget=6000",
    "--run-all-compositor-stages-before-draw",
)


def installed() -> str | None:
    """Where the browser is; None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def document(browser: str, url: str, *flags: str) -> str:
    """The document as the browser has it when all was loaded and run."""
    return _run(browser, url, *flags, "--dump-dom")


def screenshot(browser: str, url: str, picture: Path, size: tuple[int, int], *flags: str) -> None:
    """A PNG of a window of that width and height in pixels."""
    _run(browser, url, *flags, f"--window-size={size[0]},{size[1]}", f"--screenshot={picture}")


def _run(browser: str, url: str, *flags: str) -> str:
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, *FLAGS, f"--user-data-dir={profile}", *flags, url]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

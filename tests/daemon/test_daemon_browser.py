"""The page in a real browser while a run trains: what is there, in light and dark, on a desk and on a phone."""

import os
import re
import shutil
import subprocess
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.conftest import Yard
from tests.daemon.process import Running
from tests.e2e.stand import spec

pytestmark = pytest.mark.slow

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
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
)


@pytest.fixture(scope="session")
def browser() -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is not installed: apt-get install chromium")
        pytest.skip("Chromium is not installed (Debian: chromium); with CI set this is a failure")
    return found


@pytest.fixture
def page(yard: Yard) -> Iterator[Running]:
    """A daemon with one model that serves, one that tunes and one that waits on a person."""
    with yard.daemon("--listen", "127.0.0.1:0") as daemon:
        daemon.wait(lambda: [e for e in daemon.said("action.done") if e["action"] == "promote"])
        yard.service.finishes = False
        yard.repository.write("specs/slow.yaml", spec("slow"))
        yard.repository.write("specs/bad.yaml", spec("bad").replace("rows.jsonl", "nowhere.jsonl"))
        yard.repository.commit()
        daemon.wait(lambda: len(yard.service.created) == 2)
        daemon.wait(lambda: "slow" in daemon.get("/")[1])
        yield daemon


def show(browser: str, url: str, profile: Path, *flags: str) -> str:
    """The document as the browser has it when all was loaded and run."""
    command = [browser, *FLAGS, f"--user-data-dir={profile}", *flags, "--dump-dom", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def test_the_page_shows_what_serves_what_tunes_and_what_to_do(page: Running, browser: str, tmp_path: Path) -> None:
    document = show(browser, page.url, tmp_path / "profile")
    text = re.sub(r"<[^>]+>", " ", document)
    for wanted in ("numbers", "Ready", "slow", "Reconciling", "bad", "Stalled", "What to do:", "tunedModels/numbers-"):
        assert wanted in text
    assert "<progress" in document
    assert "The daemon does not answer" not in text


def test_the_page_goes_on_by_itself(page: Running, yard: Yard, browser: str, tmp_path: Path) -> None:
    """Two seconds on the page's clock are enough to see what the daemon found out after it was loaded."""
    before = len(page.said("web.listening"))
    document = show(browser, page.url, tmp_path / "profile")
    assert before == 1
    assert re.search(r"Last look</dt><dd>\d+ s ago", document)
    assert yard.service.url not in document


@pytest.mark.parametrize(("width", "dark"), [(1200, False), (1200, True), (390, False)])
def test_a_picture_of_the_page_is_as_wide_as_asked_and_in_the_readers_colours(
    page: Running,
    browser: str,
    tmp_path: Path,
    width: int,
    dark: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    picture = tmp_path / "page.png"
    scheme = ["--blink-settings=preferredColorScheme=0"] if dark else ["--blink-settings=preferredColorScheme=1"]
    command = [browser, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *scheme, f"--window-size={width},900"]
    subprocess.run([*command, f"--screenshot={picture}", page.url], capture_output=True, timeout=60, check=True)
    corner = first_pixel(picture.read_bytes())
    assert corner == ((0x0D, 0x11, 0x17) if dark else (0xFF, 0xFF, 0xFF))


def first_pixel(png: bytes) -> tuple[int, int, int]:
    """The colour at the top left of an 8-bit RGB or RGBA picture; no filter of the first row changes that one."""
    assert png[24] == 8
    data, at = b"", 8
    while at < len(png):
        length, kind = int.from_bytes(png[at : at + 4], "big"), png[at + 4 : at + 8]
        if kind == b"IDAT":
            data += png[at + 8 : at + 8 + length]
        at += 12 + length
    row = zlib.decompress(data)[1:4]
    return row[0], row[1], row[2]

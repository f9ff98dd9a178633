"""The page in a real browser while a run trains: what is there, in light and dark, on a desk and on a phone."""

import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import document as document_of
from tests.browser import screenshot
from tests.daemon.conftest import Yard
from tests.daemon.process import Running
from tests.e2e.stand import spec

pytestmark = pytest.mark.slow


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


def test_the_page_shows_what_serves_what_tunes_and_what_to_do(page: Running, browser: str) -> None:
    document = document_of(browser, page.url)
    text = re.sub(r"<[^>]+>", " ", document)
    for wanted in ("numbers", "Ready", "slow", "Reconciling", "bad", "Stalled", "What to do:", "tunedModels/numbers-"):
        assert wanted in text
    assert "<progress" in document
    assert "The daemon does not answer" not in text


def test_the_page_goes_on_by_itself(page: Running, yard: Yard, browser: str) -> None:
    """Two seconds on the page's clock are enough to see what the daemon found out after it was loaded."""
    before = len(page.said("web.listening"))
    document = document_of(browser, page.url)
    assert before == 1
    assert re.search(r"Checked</dt><dd>\d+ s ago", document)
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
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    screenshot(browser, page.url, picture, (width, 900), scheme)
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

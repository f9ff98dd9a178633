"""The pictures of the README, drawn by a real browser: `GITUNE_UPDATE_GOLDEN=1 pytest tests/report/test_pictures.py`.

What a browser paints differs a little from release to release, so a picture is not compared: the document that it was
drawn from is kept beside it as a digest, and a picture whose document has changed since is out of date.
"""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import struct
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cmarkgfm
import pytest

from controller.daemon.view import StatusView
from controller.daemon.web.html import index_html
from controller.plan.actions import Plan
from controller.plan.world import World
from controller.ports import Landing
from controller.report.charts import curve_svg
from controller.report.plan_comment import PlanView, plan_comment
from controller.state.recorded import Record
from tests.browser import screenshot
from tests.report.conftest import REVISION, UPDATE, Golden

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
STYLE = Path(__file__).parents[2] / "controller" / "daemon" / "web" / "page" / "static" / "style.css"
NOW = datetime(2026, 3, 1, 10, 1, tzinfo=UTC)
SIZES = {"comment": (900, 700), "page": (1200, 1100)}  # pixels
LIKE_A_CODE_HOST = """
body { font: 14px/1.5 system-ui, "DejaVu Sans", sans-serif; margin: 24px; color: #1f2328; background: #fff }
table { border-collapse: collapse } td, th { border: 1px solid #d1d9e0; padding: 6px 13px; text-align: left }
code { background: #eff1f3; padding: 2px 5px; border-radius: 4px; font-size: 85% }
a { color: #0969da; text-decoration: none } summary { cursor: pointer }
"""


def comment(view: PlanView) -> str:
    """What a reviewer sees: a first run, a new run beside the one that serves, and what holds a third model."""
    body = cmarkgfm.github_flavored_markdown_to_html(plan_comment(view, 65_536).body, cmarkgfm.Options.CMARK_OPT_UNSAFE)
    return f"<!doctype html><meta charset=utf-8><style>{LIKE_A_CODE_HOST}</style>{body}"


def page(records: Mapping[str, Record], plan: Plan, world: World) -> str:
    """What the daemon shows: a model that serves, one that tunes and one that waits on a person."""
    written = Landing(REVISION, "", "Jane Roe <jane@example.com>", "2026-03-01T09:12:00+00:00", "Tune on the new rows")
    priced = {name: replace(one, runs=tuple(replace(r, cost=0.07) for r in one.runs)) for name, one in records.items()}
    view = StatusView(
        following="https://github.com/acme/models, branch main",
        remote="github.com/acme/models",
        revision=REVISION,
        records=priced,
        world=world,
        commits={REVISION: written},
        currency="USD",
        plan=Plan(REVISION, tuple(action for action in plan.actions if action.name in records), (), plan.digest),
        looked=NOW - timedelta(seconds=5),
        passed=NOW - timedelta(seconds=42),
    )
    whole = index_html(view, NOW).replace('<script src="/static/refresh.js" defer></script>', "")
    whole = whole.replace(
        '<search id="search" aria-label="Models" hidden>', '<search id="search">'
    )  # as the script does
    for name, record in records.items():
        if record.runs[-1].losses:
            curve = base64.b64encode(curve_svg(record.runs[-1]).encode()).decode()
            whole = re.sub(rf'src="/curves/{name}\.svg\?\d+"', f'src="data:image/svg+xml;base64,{curve}"', whole)
    style = f"<style>{STYLE.read_text('utf-8')}</style>"
    return whole.replace('<link rel="stylesheet" href="/static/style.css">', style)


@pytest.fixture
def documents(records: dict[str, Record], plan: Plan, review: PlanView, world: World) -> dict[str, str]:
    return {"comment": comment(review), "page": page(records, plan, world)}


def test_the_pictures_are_of_what_is_shown_now(documents: dict[str, str], golden: Golden) -> None:
    digests = [f"{hashlib.sha256(text.encode()).hexdigest()}  {name}.png\n" for name, text in documents.items()]
    golden("pictures.sha256", "".join(digests))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["comment", "page"])
def test_a_picture_can_be_drawn_and_has_the_size_of_the_one_that_is_shown(
    name: str, documents: dict[str, str], browser: str, tmp_path: Path
) -> None:
    source, drawn, shown = tmp_path / f"{name}.html", tmp_path / f"{name}.png", PICTURES / f"{name}.png"
    source.write_text(documents[name], "utf-8")
    screenshot(browser, source.as_uri(), drawn, SIZES[name])
    if UPDATE:
        PICTURES.mkdir(exist_ok=True)
        shutil.copyfile(drawn, shown)
    assert size(drawn) == size(shown) == SIZES[name]
    assert drawn.stat().st_size > 10_000  # a blank picture of this size has about 3 kB


def size(picture: Path) -> tuple[int, int]:
    """Width and height of a PNG in pixels, from its header."""
    width, height = struct.unpack(">II", picture.read_bytes()[16:24])
    return width, height

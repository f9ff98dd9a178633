"""The page in a real browser, with two hundred models in every state: read, searched, and kept up to date."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest

from tests.daemon.gallery import AXE, gallery, ready, staged, stalled, tuning, view_of

pytestmark = pytest.mark.slow

LIBRARY = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
LIGHT, DARK = "--blink-settings=preferredColorScheme=1", "--blink-settings=preferredColorScheme=0"
WIDE = "--window-size=1200,900"
UNNAMED_PICTURE = 'document.getElementById("live").append(document.createElement("img"));'


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
@pytest.mark.parametrize("path", ["/", "/models/model-0", "/models/model-1", "/?state=Stalled"])
def test_axe_finds_nothing_to_object_to(browser: str, scheme: str, path: str) -> None:
    with staged(gallery(), AXE, LIBRARY) as stage:
        assert stage.told(browser, path, scheme, WIDE) == []


def test_axe_finds_nothing_to_object_to_on_a_phone(browser: str) -> None:
    with staged(gallery(), AXE, LIBRARY) as stage:
        assert stage.told_on_a_phone(browser, "/", DARK) == []


def test_axe_sees_what_it_is_there_to_see(browser: str) -> None:
    with staged(view_of({"a": ready("a")}), UNNAMED_PICTURE + AXE, LIBRARY) as stage:
        assert [rule for rule, *_ in stage.told(browser, "/", LIGHT)] == ["image-alt"]


SHAPE = """
addEventListener("load", () => tell({
  width: innerWidth,
  needed: document.documentElement.scrollWidth,
  scripts: [...document.querySelectorAll("script")].map((one) => [one.getAttribute("src"), one.textContent]),
  pictures: [...document.querySelectorAll("img")].map((one) => one.getAttribute("src")),
  handlers: [...document.querySelectorAll("*")].flatMap((one) => one.getAttributeNames()).filter((a) => /^on/.test(a)),
  addresses: [...document.querySelectorAll("a")].map((one) => one.protocol),
  motions: document.getAnimations().length,
  still: matchMedia("(prefers-reduced-motion: reduce)").matches,
  cards: document.querySelectorAll(".card").length,
  beyond: [...document.querySelectorAll("#live *")]
    .filter((one) => !one.closest(".scroll, .unseen, progress"))
    .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
    .map((one) => one.outerHTML.slice(0, 100)),
}));
"""


@pytest.mark.parametrize("width", [360, 1200])
@pytest.mark.parametrize("path", ["/", "/models/model-0"])
def test_hostile_names_neither_run_nor_break_the_page(browser: str, path: str, width: int) -> None:
    with staged(gallery(), SHAPE) as stage:
        told = stage.told if width == 1200 else stage.told_on_a_phone
        shape = told(browser, path, WIDE, "--force-prefers-reduced-motion")

    assert shape["cards"] == (200 if path == "/" else 0)
    assert shape["width"] == width
    assert shape["needed"] <= shape["width"]
    assert shape["beyond"] == []
    assert all(address and not text for address, text in shape["scripts"])
    assert all(address.startswith("/curves/") for address in shape["pictures"])
    assert shape["handlers"] == []
    assert set(shape["addresses"]) <= {"http:", "https:"}
    assert shape["still"]
    assert shape["motions"] == 0


KEYS = """
addEventListener("load", () => {
  const all = [...document.querySelectorAll("a, button, input, select, [tabindex]")];
  const stops = all.filter((one) => one.tabIndex >= 0 && one.checkVisibility());
  const unseen = stops.filter((one) => {
    one.focus();
    return document.activeElement !== one || getComputedStyle(one).outlineStyle === "none";
  });
  tell({
    first: stops[0].getAttribute("href"),
    jumps: all.filter((one) => one.tabIndex > 0).length,
    unseen: unseen.map((one) => one.outerHTML),
    fields: stops.filter((one) => one.matches("input, select")).map((one) => one.name),
    cards: stops.filter((one) => one.matches("h3 a")).length,
  });
});
"""


def test_everything_is_reached_by_keyboard_and_shows_that_it_is(browser: str) -> None:
    with staged(gallery(40), KEYS) as stage:
        keys = stage.told(browser, "/", LIGHT)

    assert keys["first"] == "#live"  # past the filters, to the content
    assert keys["jumps"] == 0
    assert keys["unseen"] == []
    assert keys["fields"] == ["q", "state", "provider", "label"]
    assert keys["cards"] == 40


LIVE = """
addEventListener("load", () => {
  const field = document.querySelector("input[name=q]");
  field.value = "b";
  const before = document.querySelector("#model-b h3 a");
  const card = document.querySelector("#model-b");
  before.focus();
  setTimeout(() => tell({
    same: document.activeElement === before && document.querySelector("#model-b") === card,
    field: field.value,
    badge: card.querySelector(".badge").textContent,
    order: [...document.querySelectorAll(".card")].map((one) => one.id),
    link: document.getElementById("link").textContent,
  }), 4500);
});
"""


def test_what_is_new_comes_in_and_takes_neither_the_focus_nor_what_is_typed(browser: str) -> None:
    view = view_of({"a": ready("a"), "b": tuning("b"), "c": ready("c")})
    later = replace(view, records={"0": stalled("0"), "a": stalled("a"), "b": ready("b"), "d": ready("d")})
    with staged(view, LIVE) as stage:

        def change(number: int) -> None:
            if number == 2:
                stage.house.loop.view = later

        stage.on_page = change
        told: dict[str, Any] = stage.told(browser, "/", LIGHT)

    assert told == {
        "same": True,
        "field": "b",
        "badge": "Ready",
        "order": ["model-0", "model-a", "model-b", "model-d"],
        "link": "",
    }


SEARCH = """
addEventListener("load", () => {
  const field = document.querySelector("input[name=q]");
  field.focus();
  field.value = "model-1 tunedmodels";
  field.dispatchEvent(new Event("input", { bubbles: true }));
  const state = document.querySelector("select[name=state]");
  state.value = "Stalled";
  state.dispatchEvent(new Event("input", { bubbles: true }));
  setTimeout(() => tell({
    address: location.search,
    names: [...document.querySelectorAll("h3 a")].map((one) => one.textContent),
    said: document.getElementById("found").textContent,
    focused: document.activeElement === field,
    field: field.value,
    choices: [...document.querySelectorAll("select[name=provider] option")].map((one) => one.value),
  }), 3000);
});
"""


def test_a_search_finds_among_all_models_also_those_the_page_has_no_room_for(browser: str) -> None:
    with staged(gallery(400), SEARCH) as stage:
        told = stage.told(browser, "/", LIGHT)

    assert told["address"] == "?q=model-1+tunedmodels&state=Stalled"
    assert told["names"]
    assert all(name.startswith("model-1") for name in told["names"])
    assert told["said"].startswith(f"{len(told['names'])} of 400 models.")
    assert told["focused"]
    assert told["field"] == "model-1 tunedmodels"
    assert told["choices"] == ["", "gemini", "local"]


def test_without_scripts_the_page_is_whole_and_filters_are_links() -> None:
    with staged(gallery(), "") as stage:
        whole, some = stage.plain("/"), stage.plain("/?state=Orphaned")

    assert '<search id="search" aria-label="Models" hidden>' in whole  # the script shows it: it can do nothing without
    assert 'href="/?state=Stalled"' in whole
    assert 'href="/?provider=gemini"' in whole
    assert whole.count('<article class="card"') == 200
    assert 0 < some.count('<article class="card"') < 200
    assert set(re.findall(r'class="badge ([a-z-]+)"', some)) == {"orphaned"}

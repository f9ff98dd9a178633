"""Whatever a file or a provider says, the reader's terminal, browser and runner are told nothing."""

import json
import re
import unicodedata
from html.parser import HTMLParser

import cmarkgfm
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from controller.report.formatting import cell, code, json_text, terminal, xml

HOSTILE = (
    "\x1b[2J\x1b]0;title\x07",
    "\x9b31m",
    "abc\u202egnp.exe",
    "in\u200bvisible\u2060",
    "a | b | c",
    "back\\|slash",
    "`tick` ``two``",
    "` leading",
    "@octocat and @org/team",
    "&#64;octocat &commat;team",
    "#12 org/repo#3 Fixes #4 GH-5",
    "0123456789abcdef0123456789abcdef01234567",
    "![x](https://evil.test/p.png) [y](javascript:alert(1))",
    "<img src=x onerror=alert(1)></details>",
    "https://evil.test www.evil.test a@evil.test",
    "one\n::error::two",
    "##[set-output name=x]1",
    "  ::add-mask::x",
    "\u2028::warning::x",
    "</code></td></tr></table>",
    "\\",
    "$x$ $$y$$",
)
texts = st.one_of(
    st.text(max_size=80),
    st.text(alphabet="`|\\<>&#@[]()!*_~ \n\x1b:a1", max_size=40),
    st.sampled_from(HOSTILE),
)


class Elements(HTMLParser):
    """Which elements a rendering has, and what text stands outside of code."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.inside = 0
        self.outside = ""
        self.quoted = ""

    def handle_starttag(self, tag: str, _: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.inside += tag == "code"

    def handle_endtag(self, tag: str) -> None:
        self.inside -= tag == "code"

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.quoted += data
        else:
            self.outside += data


def rendered(markdown: str) -> Elements:
    elements = Elements()
    elements.feed(cmarkgfm.github_flavored_markdown_to_html(markdown))
    return elements


@given(texts)
@example("a\u00ad\u034f\U000e0041")
@example("\ud800")
def test_a_terminal_gets_one_line_of_visible_characters(text: str) -> None:
    shown = terminal(text)
    assert {unicodedata.category(c) for c in shown}.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})


@given(texts)
def test_a_runner_finds_no_command_in_what_a_terminal_gets(text: str) -> None:
    shown = terminal(text)
    assert not re.search(r"(^|\s)::", shown)
    assert "##[" not in shown


@given(st.text(alphabet=st.characters(categories=("L", "N", "P", "S"), codec="latin-1"), max_size=80))
def test_ordinary_text_is_shown_as_it_is(text: str) -> None:
    if "::" not in text and "##[" not in text:
        assert terminal(text) == text


def test_a_long_text_is_cut_with_a_sign_of_it() -> None:
    assert terminal("x" * 600) == "x" * 499 + "…"
    assert terminal("x" * 500) == "x" * 500


@given(texts)
@pytest.mark.parametrize("hostile", [None, *HOSTILE])
def test_a_code_span_holds_all_of_its_text_and_nothing_else(hostile: str | None, text: str) -> None:
    data = text if hostile is None else hostile
    page = rendered(f"before {code(data)} after\n")
    assert set(page.tags) <= {"p", "code"}
    assert page.outside.split() == ["before", "after"]
    assert " ".join(page.quoted.split()) == " ".join(terminal(data).split())


@given(texts, texts)
def test_a_table_keeps_its_cells_whatever_they_hold(left: str, right: str) -> None:
    page = rendered(f"| a | b |\n|---|---|\n| {cell(left)} | {cell(right)} |\n")
    assert [t for t in page.tags if t != "code"] == ["table", "thead", "tr", "th", "th", "tbody", "tr", "td", "td"]
    assert page.outside.split() == ["a", "b"]


def test_a_bar_in_a_cell_reads_as_a_bar() -> None:
    page = rendered(f"| a |\n|---|\n| {cell('x | y')} |\n")
    assert page.quoted == "x | y"


def test_an_empty_text_makes_no_code_span() -> None:
    assert (code(""), cell("   ")) == ("", "")


@given(texts)
def test_xml_text_has_no_markup_in_it(text: str) -> None:
    assert not set(xml(text)) & set("<>\"'")
    assert not re.search(r"&(?!(amp|lt|gt|quot|#39);)", xml(text))


@given(st.dictionaries(st.text(max_size=5), texts, max_size=3))
def test_json_reads_back_as_it_was_and_is_ascii_without_commands(value: dict[str, str]) -> None:
    written = json_text(value)
    assert json.loads(written) == value
    assert written.isascii()
    assert "##[" not in written
    assert not any(line.lstrip().startswith("::") for line in written.splitlines())


def test_json_refuses_a_number_that_json_has_not() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_text({"loss": float("nan")})

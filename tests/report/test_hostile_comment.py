"""Ten thousand hostile strings through everything that is rendered: none of them becomes markup or a command."""

from __future__ import annotations

import html.parser
import random  # noqa: TID251 - seeded below
import re
from collections.abc import Iterator

import cmarkgfm
import pytest

from controller.errors import Problem, Severity
from controller.plan.actions import Change, ChangeClass, Guard, Hold, Orphan, Plan
from controller.report.plan_comment import (
    ForeignAction,
    ForeignChange,
    ForeignPlan,
    Note,
    PlanView,
    foreign_comment,
    plan_comment,
)
from controller.report.progress_comment import Story, progress_comment
from controller.state.reasons import Reason
from controller.state.recorded import Record, Run, RunOutcome, Score, Slot

STRINGS, EACH = 10_000, 25
PIECES = (
    *("@team", "&#64;team", "&commat;x", "#123", "acme/other#1", "GH-7", "Fixes #1", "a" * 40, "@everyone"),
    *(
        "[x](https://evil.example)",
        "![x](https://evil.example/t.png)",
        "<https://evil.example>",
        "https://evil.example",
    ),
    *(
        "www.evil.example",
        "me@evil.example",
        "<img src=x>",
        "<a href=//evil.example>x</a>",
        "<script>",
        "<h1>",
        "</details>",
    ),
    *(
        "<details>",
        "</summary>",
        "<!--",
        "-->",
        "--!>",
        "<![CDATA[",
        "]]>",
        "<?x",
        "&lt;b&gt;",
        "&#60;b&#62;",
        "</code>",
    ),
    *("|", "\\|", "\\\\|", "| x | y |", "`", "``", "```", "````", "~~~", "``` ` ```", "\\`", "$`x`$", "$$x$$", "**b**"),
    *(
        "\n",
        "\r\n",
        "\r",
        "\u2028",
        "\u2029",
        "\x0b",
        "\x85",
        "\n\n# h\n",
        "\n---\n",
        "\n> q",
        "\n- [x] y",
        "\n    code",
    ),
    *("::error::x", "\n::add-mask::x", "##[error]x", "\n##[group]x", "::set-output name=a::b", "::stop-commands::x"),
    *("\u202e", "\u2066", "\u200b", "\ufeff", "\x00", "\x1b[31m", "\x9b", "\U000e0041", "\ud800", "é", "日本", "🙂"),
    *(
        "{0.__class__}",
        "${{ secrets.X }}",
        "%0A::error::x",
        "%25",
        ":shipit:",
        "[[x]]",
        "[^1]",
        "[x]: //evil",
        "\\",
        " ",
        "a",
    ),
)
EMPTY_PLACES = {"h3", "strong", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "code", "p"}
ALLOWED = EMPTY_PLACES | {"blockquote", "ul", "li", "sub", "em"}


def hostile() -> Iterator[list[str]]:
    """Batches of strings made of what attackers write, the same at every run."""
    chance = random.Random(20_261_103)  # noqa: S311 - a seed, so that a failure comes again
    for _ in range(STRINGS // EACH):
        yield ["".join(chance.choices(PIECES, k=chance.randint(1, 9))) for _ in range(EACH)]


class Reader(html.parser.HTMLParser):
    """What a browser would make of it: tags outside the allowed ones, and the text that is in no code."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.strange: list[str] = []
        self.depth = 0
        self.free: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ALLOWED or (attrs and tag not in {"th", "td"}):
            self.strange.append(f"<{tag} {attrs}>")
        self.depth += tag == "code"

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag == "code"

    def handle_comment(self, data: str) -> None:
        if not data.startswith(" gitune: {"):
            self.strange.append(f"<!--{data}-->")

    def handle_data(self, data: str) -> None:
        if self.depth == 0:
            self.free.append(data)


SPOKEN = re.compile(r"@\w|#\d|GH-\d|\b[0-9a-f]{40}\b|https?:|www\.|evil|class__|secrets|:shipit:|\$")


def faults(markdown: str) -> list[str]:
    """What of a comment is more than words of ours and code."""
    rendered = cmarkgfm.github_flavored_markdown_to_html(markdown, cmarkgfm.Options.CMARK_OPT_UNSAFE)
    reader = Reader()
    reader.feed(rendered)
    reader.close()
    spoken = [text for text in reader.free if SPOKEN.search(text.replace("`/gitune", ""))]
    obeyed = [line for line in markdown.splitlines() if line.lstrip().startswith("::") or "##[" in line]
    hidden = [c for c in markdown if c in "\u202e\u2066\u200b\ufeff\x00\x1b\x9b\u2028\u2029\x85"]
    return [*reader.strange, *spoken, *obeyed, *hidden]


LIMIT = 65_536


def view(words: list[str]) -> PlanView:
    """A plan whose every text is a stranger's."""
    at = iter(words * 40)
    take = at.__next__
    actions = tuple(
        kind(
            name=take(),
            provider=take(),
            reason=Reason.DRIFTED,
            message=take(),
            model=take(),
            fingerprint=take(),
            attempt=1,
            changes=(Change(take(), ChangeClass.LOCAL, take(), take()),),
        )
        for kind in (Hold, Orphan, Hold)
    )
    problem = Problem(take(), 3, 1, "GT203", take(), Severity.WARNING, take())
    guard = Guard("MaxDeletes", take(), (take(),), (take(),))
    plan = Plan("a" * 40, actions, (guard,), "b" * 64)
    note = Note(problems=(problem,), advice=take(), reusable=take())
    return PlanView(
        plan=plan, head="a" * 40, notes={a.name: note for a in actions}, loose=(problem,), unreadable=(take(),)
    )


def told(words: list[str]) -> Story:
    """A story whose every text is a stranger's."""
    at = iter(words * 40)
    take = at.__next__
    records = {}
    for name in words[:4]:
        run = Run(
            model=take(),
            provider_type="local",
            base="b",
            fingerprint=take(),
            attempt=1,
            dataset_digest="",
            outcome=RunOutcome.FAILED,
            error=take(),
            score=Score(take(), "", 1, 2),
        )
        records[name] = Record(name=name, provider=take(), active=Slot(run.model, "", 1, take()), runs=(run,))
    refused = {words[0]: take()}
    return Story(pull=1, commit="c" * 40, names=tuple(records), records=records, refused=refused, refusal=take())


def foreign(words: list[str]) -> ForeignPlan:
    at = iter(words * 40)
    take = at.__next__
    actions = tuple(
        ForeignAction(take(), "hold", take(), take(), take(), take(), (ForeignChange(take(), take(), take(), take()),))
        for _ in range(4)
    )
    return ForeignPlan(1, 1, "a" * 40, actions, (take(), take()))


@pytest.mark.slow
def test_ten_thousand_hostile_strings_become_no_link_no_mention_no_image_and_no_command() -> None:
    seen, found = 0, []
    for words in hostile():
        seen += len(words)
        for text in (
            plan_comment(view(words), LIMIT).body,
            progress_comment(told(words), LIMIT),
            foreign_comment(foreign(words), LIMIT),
        ):
            found += faults(text)
    assert found == []
    assert seen == STRINGS


def test_the_judge_sees_what_it_is_there_to_see() -> None:
    for bad in (
        "@team",
        "[x](https://evil.example)",
        "![x](y)",
        "www.evil.example",
        "<b>x</b>",
        "Fixes #1",
        "::error::x",
    ):
        assert faults(f"words {bad}\n\n{bad}\n"), bad


def test_the_summary_of_a_job_is_as_safe_as_the_comment() -> None:
    words = next(hostile())

    assert faults(plan_comment(view(words), 1_000_000).body) == []

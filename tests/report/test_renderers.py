"""What people and programs read of plans, outcomes, problems and status, byte for byte."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from html.parser import HTMLParser

import cmarkgfm
import pytest

from controller.errors import Problem
from controller.plan.actions import Change, ChangeClass, Create, Done, Guard, Held, Hold, Nothing, Outcome, Plan, Tune
from controller.ports import CheckResult
from controller.report.formatting import amount, counted, duration, figure, json_text, listed, percent
from controller.report.model_state import StateSummary, StateWord, state_of
from controller.report.phrases import estimate
from controller.report.readme import readme, row, section
from controller.report.render_plan import (
    applied_json,
    applied_markdown,
    applied_summary,
    applied_text,
    as_json,
    people_text,
    plan_markdown,
    plan_text,
    waiting_on_people,
)
from controller.report.render_problems import (
    checks_json,
    checks_markdown,
    checks_table,
    problems_json,
    problems_markdown,
    problems_text,
)
from controller.report.render_status import status_detail, status_json, status_markdown, status_table
from controller.state.conditions import Condition, ConditionType, Truth
from controller.state.identity import Hyperparameters
from controller.state.reasons import Reason
from controller.state.recorded import Record

Golden = Callable[[str, str], None]
Draw = Callable[..., str]

FINDINGS = (
    CheckResult("provider local", well=True, message="reachable at http://127.0.0.1:4000"),
    CheckResult("provider gemini", well=False, message="GEMINI_API_KEY is not set", fix="export GEMINI_API_KEY=…"),
)
ATTACK = (
    "</details>\n![p](https://evil.test/x) | `x` @octocat &#64;team Fixes #1\x1b[31m\u202e<img src=x>\n::error::owned"
)


def readme_of(records: Mapping[str, Record]) -> str:
    """The README.md of some records."""
    ordered = [records[name] for name in sorted(records)]
    return readme([row(record) for record in ordered], [section(record) for record in ordered])


def test_a_plan_in_a_terminal(plan: Plan, golden: Golden, drawn: Draw) -> None:
    golden("plan.txt", drawn(plan_text(plan)))


def test_a_plan_in_a_narrow_terminal_folds_and_loses_nothing(plan: Plan, drawn: Draw) -> None:
    narrow = drawn(plan_text(plan), 30)
    assert max(map(len, narrow.splitlines())) <= 30
    assert "".join(narrow.split()) == "".join(drawn(plan_text(plan)).split())


def test_a_plan_in_markdown(plan: Plan, golden: Golden) -> None:
    golden("plan.md", plan_markdown(plan))


def test_a_plan_in_json(plan: Plan, golden: Golden) -> None:
    golden("plan.json", json_text(as_json(plan)) + "\n")


def test_an_empty_plan_says_that_it_is_one(drawn: Draw) -> None:
    assert drawn(plan_text(Plan(None, ()))) == "Plan: no actions.\n"
    assert "**no actions**" in plan_markdown(Plan(None, ()))


def test_the_page_of_the_ledger_ends_where_forges_show_no_more() -> None:
    rows, taken = ["| row |"] * 5000, []

    def sections() -> Iterator[str]:
        for number in range(5000):
            taken.append(number)
            yield f"## {number}\n{'x' * 500}\n"

    page = readme(rows, sections())

    assert page.count("| row |") == 5000
    assert 390_000 < len(page) < 410_000
    assert page.endswith(f"What is known of {5000 - len(taken) + 1:,} more models stands in `status/`.\n")


def test_many_models_in_order_are_counted_and_hide_no_other(plan: Plan, drawn: Draw) -> None:
    (quiet,) = (action for action in plan.actions if isinstance(action, Nothing))
    many = [replace(quiet, name=f"m-{n}") for n in range(30)]
    large = replace(plan, actions=(*many[:15], plan.actions[0], *many[15:]))

    text, page = drawn(plan_text(large)), plan_markdown(large)

    assert "m-7" not in text + page
    assert "+ create  next-number on local" in text
    assert "  none    30 models, named by `gitune plan -o json`\n" in text
    assert "| ✔️ none | 30 models, named by `gitune plan -o json` | – | – |\n" in page
    assert "m-7" in drawn(plan_text(replace(plan, actions=tuple(many[:20]))))


def test_outcomes_in_a_terminal(plan: Plan, outcomes: tuple[Outcome, ...], golden: Golden, drawn: Draw) -> None:
    golden("applied.txt", drawn(applied_text(plan, outcomes)))


def test_outcomes_in_markdown(plan: Plan, outcomes: tuple[Outcome, ...], golden: Golden) -> None:
    golden("applied.md", applied_markdown(plan, outcomes))


def test_outcomes_in_json(
    plan: Plan, outcomes: tuple[Outcome, ...], records: dict[str, Record], golden: Golden
) -> None:
    golden("applied.json", json_text(applied_json(plan, outcomes, records)) + "\n")


def test_a_pass_that_changes_nothing_says_so(plan: Plan) -> None:
    quiet = Done(plan.actions[-1])
    assert applied_summary(Plan(None, plan.actions), [quiet]) == "1 unchanged"
    assert applied_summary(Plan(None, ()), []) == "nothing is declared"


def test_what_waits_on_a_person_is_named_and_what_waits_on_time_is_not(outcomes: tuple[Outcome, ...]) -> None:
    held = Held(outcomes[0].action, Reason.QUEUED, "one run at a time")
    assert waiting_on_people([*outcomes, held]) == ("faulty",)
    suspended = Hold(name="s", provider="local", reason=Reason.SUSPENDED, message="")
    assert waiting_on_people([Done(suspended)]) == ()
    assert people_text(("a",)) == "1 model waits on a person: a"
    assert people_text(("a", "b")) == "2 models wait on a person: a and b"


def test_problems_in_a_terminal(problems: tuple[Problem, ...], golden: Golden, drawn: Draw) -> None:
    golden("problems.txt", drawn(problems_text(problems)))


def test_problems_in_markdown(problems: tuple[Problem, ...], golden: Golden) -> None:
    golden("problems.md", problems_markdown(problems))


def test_problems_in_json(problems: tuple[Problem, ...], golden: Golden) -> None:
    golden("problems.json", json_text(problems_json(problems)) + "\n")


def test_a_page_of_problems_has_an_end() -> None:
    many = [Problem("a.yaml", n, 1, "GT001", "bad") for n in range(1000)]
    page = problems_markdown(many)
    assert "and 800 more" in page
    assert page.startswith("**1,000 errors**")


def test_no_problem_is_said_in_words(drawn: Draw) -> None:
    assert drawn(problems_text(())) == "no problems\n"


def test_the_ledgers_front_page(records: dict[str, Record], golden: Golden) -> None:
    golden("readme.md", readme_of(records))


def test_the_front_page_does_not_depend_on_the_order_of_its_records(records: dict[str, Record]) -> None:
    assert readme_of(dict(reversed(records.items()))) == readme_of(records)


def test_the_front_page_of_an_empty_ledger() -> None:
    assert "No model is recorded yet." in readme_of({})


def test_all_models_in_a_terminal(records: dict[str, Record], golden: Golden, drawn: Draw) -> None:
    golden("status.txt", drawn(status_table(records)))


@pytest.mark.parametrize("width", [10, 20, 40, 60, 71, 72, 200])
def test_the_table_of_models_fits_into_every_terminal(records: dict[str, Record], drawn: Draw, width: int) -> None:
    lines = drawn(status_table(records, width), width).splitlines()
    assert max(map(len, lines)) <= width


def test_one_model_in_a_terminal(records: dict[str, Record], golden: Golden, drawn: Draw) -> None:
    golden("status-next-number.txt", drawn(status_detail(records["next-number"])))
    golden("status-messages.txt", drawn(status_detail(records["messages"], 60), 60))
    golden("status-faulty.txt", drawn(status_detail(records["faulty"])))


def test_status_in_markdown(records: dict[str, Record], golden: Golden) -> None:
    golden("status.md", status_markdown(records))
    assert status_markdown({}) == "No model is recorded yet.\n"


def test_a_run_that_diverged_is_called_that_where_losses_are_shown(records: Mapping[str, Record], drawn: Draw) -> None:
    record = records["next-number"]
    (run,) = record.runs
    broken = replace(record, runs=(replace(run, diverged_at=90),))
    detail = drawn(status_detail(broken))
    assert "diverged the loss is no number at step 90" in detail
    assert "4.006 → nan" in detail
    assert "nan" in drawn(status_table({"next-number": broken}))
    assert "4.006 → nan" in row(broken)
    assert '"divergedAt": 90' in json_text(status_json({"next-number": broken}))
    unseen = replace(broken, runs=(replace(run, losses=(), diverged_at=1),))
    assert "no losses reported yet" not in drawn(status_detail(unseen))


def test_a_run_of_unknown_length_shows_the_steps_it_made(records: Mapping[str, Record], drawn: Draw) -> None:
    record = records["next-number"]
    (run,) = record.runs
    adopted = replace(run, completed_steps=1000, total_steps=0, started="2026-11-30T23:32:33.539129Z")
    unknown = drawn(status_detail(replace(record, runs=(adopted,))))
    assert "1,000 " in unknown
    assert "1,000/" not in unknown
    assert "2026-11-30T23:32:33Z" in unknown
    known = drawn(status_detail(replace(record, runs=(replace(adopted, total_steps=2000),))))
    assert "1,000/2,000" in known


def test_status_in_json(records: dict[str, Record], golden: Golden) -> None:
    short = {
        name: replace(record, runs=tuple(replace(r, losses=r.losses[:2]) for r in record.runs))
        for name, record in records.items()
    }
    golden("status.json", json_text(status_json(short)) + "\n")


def test_the_doctors_findings(golden: Golden, drawn: Draw) -> None:
    golden("findings.txt", drawn(checks_table(FINDINGS)))
    golden("findings.md", checks_markdown(FINDINGS))
    assert json.loads(json_text(checks_json(FINDINGS)))["well"] is False


def hostile_plan(plan: Plan, data: str = ATTACK) -> Plan:
    action = Hold(
        name=data,
        provider=data,
        reason=Reason.INVALID_SPEC,
        message=data,
        model=data,
        fingerprint=data,
        changes=(Change(data, ChangeClass.LOCAL, data, data),),
        digest=data,
    )
    return replace(plan, actions=(action,), guards=(Guard("EmptySet", data, (data,), (data,)),), digest=data)


class Links(HTMLParser):
    """Collects elements that only our own text may bring, and text outside of code."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open: list[str] = []
        self.outside = ""

    def handle_starttag(self, tag: str, _: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            self.open.reverse()
            self.open.remove(tag)
            self.open.reverse()

    def handle_data(self, data: str) -> None:
        if "code" not in self.open:
            self.outside += data


def test_hostile_data_brings_no_link_image_mention_or_tag_into_markdown(plan: Plan, records: dict[str, Record]) -> None:
    bad = hostile_plan(plan)
    condition = Condition(ConditionType.STALLED, Truth.TRUE, Reason.RUN_FAILED, ATTACK)
    record = replace(records["faulty"], name=ATTACK, prefix=ATTACK, applied=ATTACK, conditions=(condition,))
    pages = (
        plan_markdown(bad),
        applied_markdown(bad, [Held(bad.actions[0], Reason.RUN_FAILED, ATTACK, ATTACK)]),
        problems_markdown([Problem(ATTACK, 1, 1, ATTACK, ATTACK, hint=ATTACK)]),
        checks_markdown([CheckResult(ATTACK, well=False, message=ATTACK, fix=ATTACK)]),
        status_markdown({ATTACK: record}),
        readme_of({ATTACK: record}),
    )
    for page in pages:
        reader = Links()
        reader.feed(cmarkgfm.github_flavored_markdown_to_html(page, options=cmarkgfm.Options.CMARK_OPT_UNSAFE))
        assert not {"a", "img", "script"} & set(reader.found)
        assert not any(word in reader.outside for word in ("@", "octocat", "team", "Fixes", "evil", "owned"))
        assert "\x1b" not in page
        assert "\u202e" not in page
        assert not any(line.lstrip().startswith("::") for line in page.splitlines())
        assert reader.found.count("details") == page.count("<details>")


def test_hostile_data_moves_no_cursor_in_a_terminal(plan: Plan, records: dict[str, Record], drawn: Draw) -> None:
    bad = hostile_plan(plan, ATTACK + "[bold red]markup[/]")
    held = Held(bad.actions[0], Reason.RUN_FAILED, ATTACK, ATTACK)
    record = replace(records["faulty"], name=ATTACK, prefix=ATTACK)
    shown = "".join(
        (
            drawn(plan_text(bad), 4000),
            drawn(applied_text(bad, [held]), 4000),
            drawn(problems_text([Problem(ATTACK, 1, 1, "GT001", ATTACK, hint=ATTACK)]), 4000),
            drawn(checks_table([CheckResult(ATTACK, well=False, message=ATTACK, fix=ATTACK)]), 4000),
            drawn(status_table({ATTACK: record}, 4000), 4000),
            drawn(status_detail(record), 4000),
        )
    )
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "[bold red]markup[/]" in shown
    assert not any(line.lstrip().startswith("::") for line in shown.splitlines())


@pytest.mark.parametrize("count", [0, 1, 100, 5000])
def test_a_plan_of_any_size_fits_into_a_comment(plan: Plan, count: int) -> None:
    actions = tuple(replace(plan.actions[1], name=f"model-{n}") for n in range(count))
    page = plan_markdown(replace(plan, actions=actions))
    assert len(page) <= 60_000
    assert page.count("<details>") == page.count("</details>")
    assert page.rstrip().endswith("</sub>")
    if count == 5000:
        assert "did not fit" in page


def test_an_estimate_takes_the_guides_defaults_and_names_them(plan: Plan) -> None:
    first, second = (estimate(action) for action in plan.actions[:2] if isinstance(action, Tune))
    assert (first.steps, dict(first.assumed)) == (175, {"epochCount": 5, "batchSize": 4})
    assert (second.steps, dict(second.assumed)) == (140, {})


def test_steps_round_up(plan: Plan) -> None:
    create = plan.actions[0]
    assert isinstance(create, Create)
    found = estimate(replace(create, desired=replace(create.desired, hyperparameters=Hyperparameters(batch_size=3))))
    assert found.steps == 234  # 140 × 5 / 3 = 233.3


def test_the_word_for_a_model_comes_from_its_conditions(records: dict[str, Record]) -> None:
    assert state_of(records["next-number"]).word is StateWord.READY
    assert state_of(records["messages"]) == StateSummary(StateWord.RECONCILING, "Tuning", "56 of 140 steps")
    assert state_of(records["faulty"]).word is StateWord.STALLED
    assert state_of(replace(records["faulty"], orphaned=True)).word is StateWord.ORPHANED
    assert state_of(replace(records["faulty"], conditions=())).word is StateWord.UNKNOWN
    unready = Condition(ConditionType.READY, Truth.FALSE, Reason.SUSPENDED)
    assert state_of(replace(records["faulty"], conditions=(unready,))).word is StateWord.NOT_READY


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0"), (3.98124, "3.981"), (0.0114, "0.0114"), (1.2e-5, "1.2e-05"), (float("nan"), "nan")],
)
def test_figures_are_short(value: float, shown: str) -> None:
    assert figure(value) == shown


def test_little_money_is_not_shown_as_none() -> None:
    assert [amount(1234.5), amount(0.24), amount(0.00714), amount(0)] == ["1,234.50", "0.24", "0.0071", "0.00"]


def test_a_share_is_never_rounded_up_to_all() -> None:
    assert percent(1.0) == "100 %"
    assert percent(0.9999) == "99.9 %"
    assert percent(0.975) == "97.5 %"
    assert percent(0.29) == "29 %"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-1, "0 s"), (42.4, "42 s"), (185, "3 min 05 s"), (7620, "2 h 07 min"), (273600, "3 d 4 h")],
)
def test_durations_are_read_at_a_glance(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_counts_and_lists_read_as_sentences() -> None:
    assert [counted(1, "run"), counted(1234, "run"), counted(2, "entry", "entries")] == [
        "1 run",
        "1,234 runs",
        "2 entries",
    ]
    assert [listed([]), listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]

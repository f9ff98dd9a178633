"""What became of a plan to styled lines and Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from controller.plan.actions import Done, Held, Hold, Nothing, Outcome, Plan, Wait
from controller.report.escape import cell, code, terminal
from controller.report.formatting import counted, listed, percent, short
from controller.report.render_plan import LOOKS
from controller.state.reasons import Reason
from controller.state.recorded import Score


def outcome_text(outcome: Outcome) -> Text:
    """One line, and below it the hint of what was held back."""
    look = LOOKS[outcome.action.word]
    name = terminal(outcome.action.name)
    match outcome:
        case Done(action=Hold() as action):
            return _held(name, action.reason, action.message, "")
        case Done(action=action, remote=remote, score=score):
            model = remote.name if remote else action.model
            line = Text.assemble((f"{look.sign} {action.word:<7} ", look.style), (name, "bold"), f"  {terminal(model)}")
            return line.append(_scored(score)).append(f"  {action.reason}", "dim")
        case Held(reason=reason, message=message, hint=hint, score=score):
            return _held(name, reason, message + _scored(score), hint)


def applied_text(plan: Plan, outcomes: Sequence[Outcome], told: Sequence[Outcome] = ()) -> Text:
    """A line for each outcome that did something or is held, then the counts, with those of what was told before."""
    lines = [outcome_text(o) for o in outcomes if not isinstance(o.action, Nothing)]
    said = applied_summary(plan, (*told, *outcomes))
    return Text("\n").join([*lines, Text.assemble(("Applied: ", "bold"), said, ".")])


def applied_summary(plan: Plan, outcomes: Sequence[Outcome]) -> str:
    """``1 create, 1 update; 2 held; 3 unchanged``, or that there was nothing to do.

    What something was done to does not count as unchanged.
    """
    acted = [o.action for o in outcomes if isinstance(o, Done) and (o.action.acts or isinstance(o.action, Wait))]
    done, touched = [action.word for action in acted], {action.name for action in acted}
    held = sum(isinstance(o, Held) or isinstance(o.action, Hold) for o in outcomes)
    same = sum(isinstance(o.action, Nothing) and o.action.name not in touched for o in outcomes)
    parts = [", ".join(f"{done.count(word)} {word}" for word in dict.fromkeys(done))]
    parts.extend([f"{held} held" if held else "", f"{same} unchanged" if same else ""])
    said = "; ".join(part for part in parts if part) or "nothing is declared"
    return f"{said}, at revision {short(plan.revision)}" if plan.revision else said


def waiting_on_people(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """The names of the models that go on only when a person acts."""
    return tuple(dict.fromkeys(o.action.name for o in outcomes if reason_of(o).traits.needs_person))


def applied_markdown(plan: Plan, outcomes: Sequence[Outcome]) -> str:
    """Counts, then a table of everything that did something or is held."""
    rows = list(_rows(outcomes))
    table = ["", "| action | model | result |", "|---|---|---|", *rows] if rows else []
    return "\n".join(["### Gitune apply", "", f"**{applied_summary(plan, outcomes)}**", *table, ""])


def people_text(names: Sequence[str]) -> str:
    """The sentence that explains exit code 3."""
    verb = "waits" if len(names) == 1 else "wait"
    return f"{counted(len(names), 'model')} {verb} on a person: {listed([terminal(n, 60) for n in names])}"


def _rows(outcomes: Sequence[Outcome]) -> Iterator[str]:
    for outcome in outcomes:
        if isinstance(outcome.action, Nothing):
            continue
        match outcome:
            case Done(action=action, remote=remote, score=score):
                said = code(remote.name if remote else action.model or action.message) + _scored(score)
            case Held(reason=reason, message=message, score=score):
                said = f"✋ {reason}: {cell(message)}{_scored(score)}"
        yield f"| {outcome.action.word} | {cell(outcome.action.name)} | {said} |"


def reason_of(outcome: Outcome) -> Reason:
    """Why it was held, or done."""
    return outcome.reason if isinstance(outcome, Held) else outcome.action.reason


def _held(name: str, reason: str, message: str, hint: str) -> Text:
    look = LOOKS["hold"]
    line = Text.assemble((f"{look.sign} hold    ", look.style), (name, "bold"), f"  {reason}: {terminal(message)}")
    return line.append_text(Text.assemble("\n    ", ("hint: ", "dim"), terminal(hint))) if hint else line


def _scored(score: Score | None) -> str:
    if score is None:
        return ""
    return f" ({score.metric} {percent(score.value)}: {score.right:,} of {score.asked:,} right)"

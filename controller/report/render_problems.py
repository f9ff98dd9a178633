"""Problems of files, and the results of `gitune doctor`, to styled lines, Markdown and JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from controller.errors import Problem, Severity
from controller.plan.world import World
from controller.ports import CheckResult
from controller.report.formatting import JsonObject, cell, counted, fields_of, listed, terminal

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.ADVICE: "cyan"}
_MARKDOWN_ROWS = 200


def problems_text(problems: Sequence[Problem]) -> Text:
    """``file:line:column: CODE severity message`` as editors link it, each with its hint, then the counts."""
    return Text("\n").join([*_lines(problems), Text(counts(problems), "dim" if problems else "green")])


def problems_markdown(problems: Sequence[Problem]) -> str:
    """A table of the problems, the first two hundred of them; all data in code spans."""
    lines = [f"**{counts(problems)}**", ""]
    if problems:
        lines.extend(("| where | | what | hint |", "|---|---|---|---|"))
    for p in problems[:_MARKDOWN_ROWS]:
        where = cell(f"{p.file}:{p.line}:{p.column}")
        lines.append(f"| {where} | {p.severity} {cell(p.code)} | {cell(p.message)} | {cell(p.hint) or '–'} |")
    if len(problems) > _MARKDOWN_ROWS:
        lines.extend(("", f"_and {len(problems) - _MARKDOWN_ROWS:,} more: `gitune validate -o json` has all._"))
    return "\n".join(lines) + "\n"


def problems_json(problems: Sequence[Problem]) -> JsonObject:
    """``{schemaVersion, problems: […], summary: {errors, warnings, advice}}``."""
    of = Counter(p.severity for p in problems)
    summary = {"errors": of[Severity.ERROR], "warnings": of[Severity.WARNING], "advice": of[Severity.ADVICE]}
    return {"schemaVersion": 1, "problems": [problem_json(p) for p in problems], "summary": summary}


def problem_json(problem: Problem) -> JsonObject:
    """``{file, line, column, code, severity, message, hint}``."""
    return fields_of(problem, "file", "line", "column", "code", "severity", "message", "hint")


def counts(problems: Sequence[Problem]) -> str:
    """``2 errors and 1 warning``, or ``no problems``."""
    of = Counter(p.severity for p in problems)
    parts = [counted(of[Severity.ERROR], "error"), counted(of[Severity.WARNING], "warning")]
    parts.append(counted(of[Severity.ADVICE], "piece of advice", "pieces of advice"))
    return listed([part for part in parts if not part.startswith("0 ")]) or "no problems"


def _lines(problems: Sequence[Problem]) -> Iterator[Text]:
    for problem in problems:
        place = f"{terminal(problem.file)}:{problem.line}:{problem.column}: "
        severity = (f"{problem.severity} ", _STYLES[problem.severity])
        yield Text.assemble((place, "bold"), f"{terminal(problem.code)} ", severity, terminal(problem.message))
        if problem.hint:
            yield Text.assemble(("  hint: ", "dim"), terminal(problem.hint))


def unreadable(world: World) -> tuple[str, ...]:
    """What of the two outer sides could not be used: invalid specs by name, providers by key."""
    broken = [f"spec {model.name} cannot be used" for model in world.desired.invalid]
    if world.desired.errors and not broken:
        broken.append(f"{world.desired.errors[0].file} is invalid")
    if not world.desired.complete and not broken:
        broken.append("not every spec could be read")
    silent = [f"provider {key} cannot be read" for key, seen in world.observed.providers.items() if seen.error]
    return (*broken, *silent)


def checks_table(results: Sequence[CheckResult]) -> Table:
    """One row a check; a fix stands below the message of whatever is not well."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for finding in results:
        sign = Text("ok", "green") if finding.well else Text("FAIL", "bold red")
        message = Text(terminal(finding.message))
        if finding.fix:
            message.append(f"\nfix: {terminal(finding.fix)}", "cyan")
        table.add_row(sign, Text(terminal(finding.subject), "bold"), message)
    return table


def checks_markdown(results: Sequence[CheckResult]) -> str:
    """A table with a code span for everything a provider or a file said."""
    rows = [
        f"| {'✅' if f.well else '❌'} | {cell(f.subject)} | {cell(f.message) or '–'} | {cell(f.fix) or '–'} |"
        for f in results
    ]
    return "\n".join(["| | what | found | fix |", "|---|---|---|---|", *rows, ""])


def checks_json(results: Sequence[CheckResult]) -> JsonObject:
    """``{schemaVersion, well, findings: [{subject, well, message, fix}]}``."""
    shown = [fields_of(finding, "subject", "well", "message", "fix") for finding in results]
    return {"schemaVersion": 1, "well": all(f.well for f in results), "findings": shown}

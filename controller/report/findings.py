"""The findings of `gitune doctor` to a table, Markdown and JSON."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from controller.ports import Finding
from controller.report.escape import cell, terminal


def findings_table(findings: Sequence[Finding]) -> Table:
    """One row a check; a fix stands below the message of whatever is not well."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for finding in findings:
        sign = Text("ok", "green") if finding.well else Text("FAIL", "bold red")
        message = Text(terminal(finding.message))
        if finding.fix:
            message.append(f"\nfix: {terminal(finding.fix)}", "cyan")
        table.add_row(sign, Text(terminal(finding.subject), "bold"), message)
    return table


def findings_markdown(findings: Sequence[Finding]) -> str:
    """A table with a code span for everything a provider or a file said."""
    rows = [
        f"| {'✅' if f.well else '❌'} | {cell(f.subject)} | {cell(f.message) or '–'} | {cell(f.fix) or '–'} |"
        for f in findings
    ]
    return "\n".join(["| | what | found | fix |", "|---|---|---|---|", *rows, ""])


def findings_json(findings: Sequence[Finding]) -> dict[str, object]:
    """``{schemaVersion, well, findings: [{subject, well, message, fix}]}``."""
    return {
        "schemaVersion": 1,
        "well": all(f.well for f in findings),
        "findings": [{"subject": f.subject, "well": f.well, "message": f.message, "fix": f.fix} for f in findings],
    }

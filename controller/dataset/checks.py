"""The rows of a dataset and its rules to problems: never a word of a row, only lines, counts and column names."""

from __future__ import annotations

from collections.abc import Iterator

from controller.dataset.codes import CODES
from controller.dataset.findings import Findings
from controller.dataset.repeats import contradictions, duplicates, near_labels, overlap, same_output
from controller.dataset.rows import ReadDataset
from controller.dataset.rules import ADVISED, FEWEST, Rules
from controller.dataset.structure import structure
from controller.dataset.texts import look_at_texts, outer_space, request_bytes
from controller.errors import Problem


def check(read: ReadDataset, rules: Rules) -> tuple[Problem, ...]:
    """Everything the examples of a file are to be told, in the order of lines. What reading found is not repeated."""
    if not read.rows:
        return ()
    findings = Findings(read.file)
    look_at_texts(read, rules, findings)
    found = [*findings.problems(), *_sizes(read, rules), *outer_space(read), *structure(read)]
    found += [*duplicates(read), *contradictions(read)]
    if not rules.is_evaluation:
        found += same_output(read)
    if rules.task_type == "classification":
        found += near_labels(read)
    if rules.evaluation is not None:
        found += overlap(read, rules.evaluation)
    return tuple(sorted(found, key=lambda p: (p.line, p.column, p.code)))


def _sizes(read: ReadDataset, rules: Rules) -> Iterator[Problem]:
    if not rules.is_evaluation:
        yield from _count(read, rules)
    if rules.inline_bytes is not None and not rules.is_evaluation:
        needed = request_bytes(read)
        if needed > rules.inline_bytes:
            message = (
                f"the examples are {needed:,} bytes as JSON; the provider takes {rules.inline_bytes:,} in one request"
            )
            yield _of_file(read, "GT208", message, "shorten or drop examples")


def _count(read: ReadDataset, rules: Rules) -> Iterator[Problem]:
    count = len(read.rows)
    least, most = ADVISED[rules.task_type]
    kind = "this kind of task" if rules.task_type == "other" else rules.task_type
    if count < FEWEST:
        yield _of_file(read, "GT203", f"{count} examples; tuning takes at least {FEWEST}", "add examples")
    elif count < least:
        message = f"{count} examples; the guide advises {least} or more for {kind}"
        yield _of_file(read, "GT204", message, "more examples, and more varied ones, help more than more epochs")
    elif most is not None and count > most:
        message = f"{count:,} examples; the guide advises {least} to {most} for {kind}"
        yield _of_file(read, "GT205", message, "a smaller set of good examples costs less; keep it if all are good")


def _of_file(read: ReadDataset, code: str, message: str, hint: str) -> Problem:
    return Problem(read.file, 0, 0, code, message, CODES[code].severity, hint)

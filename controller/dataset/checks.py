"""What a set of examples comes to, to problems: no word of a row, only lines, counts, column names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from controller.dataset.columns import left_out
from controller.dataset.problems import CODES, Fault, Lines, listed
from controller.dataset.reading import Reading
from controller.dataset.repeats import Few, distinct, met, shared, unmet
from controller.dataset.rows import TaskType
from controller.dataset.tally import Tally
from controller.errors import Problem

# Advice and no limit, after the first model-tuning guide, of 2025, for each kind of task.
ADVISED: dict[TaskType, tuple[int, int | None]] = {
    "classification": (100, None),
    "summarization": (100, None),  # "100-500+"
    "search": (100, None),
    "other": (100, 500),
}


def check(read: Reading, tally: Tally) -> tuple[Problem, ...]:
    """Everything the examples of a file are to be told, in the order of lines. What reading found is not repeated."""
    if not tally.lines:
        return ()
    rules = tally.rules
    found = [*tally.findings.problems(), *outer_space(tally), *structure(tally), *repeats(tally)]
    for line, fault in left_out(read.unused, len(tally.lines), read.layout, read.columns):
        found.append(_problem(tally, fault, line))
    if not rules.is_evaluation:
        found += [*sizes(tally), *same_output(tally)]
    if rules.task_type == "classification":
        found += near_labels(tally)
    if rules.evaluation is not None:
        found += overlap(tally, rules.evaluation)
        found += untaught(tally, rules.evaluation)
    return tuple(sorted(found, key=lambda p: (p.line, p.column, p.code)))


def sizes(tally: Tally) -> Iterator[Problem]:
    """What is said of how many examples there are, and of their bytes in one request."""
    limits, task_type = tally.rules.limits, tally.rules.task_type
    most_bytes, fewest = limits.inline_bytes, limits.fewest
    if most_bytes is not None and tally.request_bytes > most_bytes:
        message = (
            f"the examples are {tally.request_bytes:,} bytes as JSON; the provider takes {most_bytes:,} in one request"
        )
        yield _problem(tally, Fault("GT208", message, "shorten or drop examples"))
    count = len(tally.lines)
    least, most = ADVISED[task_type]
    kind = "this kind of task" if task_type == "other" else task_type
    if count < fewest:
        yield _problem(tally, Fault("GT203", f"{count} examples; tuning takes at least {fewest}", "add examples"))
    elif count < least:
        message = f"{count} examples; the guide advises {least} or more for {kind}"
        hint = "more examples, and more varied ones, help more than more epochs"
        yield _problem(tally, Fault("GT204", message, hint))
    elif most is not None and count > most:
        message = f"{count:,} examples; the guide advises {least} to {most} for {kind}"
        hint = "a smaller set of good examples costs less; keep it if all are good"
        yield _problem(tally, Fault("GT205", message, hint))


_FEW = 0.2  # outer white space in up to this share of the rows is a slip; in more it is a habit


def outer_space(tally: Tally) -> Iterator[Problem]:
    """Advice where some texts of a column begin or end in white space and most do not."""
    for subject, lines in zip(tally.subjects, tally.spaced, strict=True):
        if 0 < lines.count <= _FEW * len(tally.lines):
            message = f"{subject} begins or ends in white space on {listed(lines)}, and nowhere else"
            fault = Fault("GT213", message, "a model learns it as part of the text: trim it")
            yield _problem(tally, fault, lines.first[0])


def structure(tally: Tally) -> Iterator[Problem]:
    """A warning where most inputs are built of the same parts and some are not."""
    if found := tally.structure.fault(tally.lines):
        yield _problem(tally, found[1], found[0])


_FEW_LABELS = 50  # of a classification: with so few, one that is missing from the examples is a slip
_LABELS_REPEAT = 2  # fewer examples for each output than this, and outputs are answers rather than labels


def repeats(tally: Tally) -> Iterator[Problem]:
    """Rows that a reader could not tell apart, with the line each repeats, and the same input with another output."""
    lines = tally.lines
    if pairs := tally.repeats.same:
        named = _named([f"line {lines[late]} repeats line {lines[early]}" for late, early in pairs.first], pairs.count)
        fault = Fault("GT209", named, "remove the repeat: it counts double in training")
        yield _problem(tally, fault, lines[pairs.first[0][0]])
    if pairs := tally.repeats.contradicting:
        said = [
            f"line {lines[late]} has the input of line {lines[early]} and another output" for late, early in pairs.first
        ]
        fault = Fault("GT210", _named(said, pairs.count), "keep the one that is right")
        yield _problem(tally, fault, lines[pairs.first[0][0]])


def same_output(tally: Tally) -> Iterator[Problem]:
    """Nothing can be learned where every answer is the same."""
    first, count = tally.outputs[0], len(tally.lines)
    if count >= tally.rules.limits.fewest and all(output == first for output in tally.outputs):
        fault = Fault(
            "GT217", f"all {count:,} examples have the same output", "check that the columns are the right ones"
        )
        yield _problem(tally, fault, tally.lines[0])


def near_labels(tally: Tally) -> Iterator[Problem]:
    """Labels of a classification that a reader takes for the same: the rarer spelling is a slip."""
    if distinct(tally.labels) * _LABELS_REPEAT > len(tally.lines):
        return
    rows: list[int] = []
    for group in shared(tally.labels):
        written: dict[int, list[int]] = {}
        for row in group:
            written.setdefault(tally.spellings[row], []).append(row)
        usual = max(written, key=lambda spelling: len(written[spelling]))
        rows += [row for spelling, slips in written.items() if spelling != usual for row in slips]
    if slips := _lines(tally, rows):
        where = f"{listed(slips)} {'have' if slips.count > 1 else 'has'}"
        message = (
            f"{where} a label that differs from a more frequent one only in case, white space or how it is encoded"
        )
        yield _problem(tally, Fault("GT218", message, "write each label in one way"), slips.first[0])


def overlap(tally: Tally, evaluation: Tally) -> Iterator[Problem]:
    """Inputs of the evaluation set that are trained on, case and white space aside: their score proves nothing."""
    rows, others = tally.asked.rows, evaluation.asked.rows
    pairs = Few()
    for one, other in met(tally.asked.keys, evaluation.asked.keys):
        pairs.add(rows[one], others[other])
    if pairs:
        lines, asked = tally.lines, evaluation.lines
        said = [f"line {lines[row]} is also line {asked[other]} of {evaluation.file}" for row, other in pairs.first]
        fault = Fault("GT211", _named(said, pairs.count), "remove it from one of the two files")
        yield _problem(tally, fault, lines[pairs.first[0][0]])


def untaught(tally: Tally, evaluation: Tally) -> Iterator[Problem]:
    """Answers of the evaluation set that no example has, compared as `exactMatch` does.

    A classification gives no label it was not taught: of few labels that is an error, of many some may be missing. Of
    other tasks it says something only where answers repeat as labels do.
    """
    taught = distinct(tally.answers)
    is_classification = tally.rules.task_type == "classification"
    if not is_classification and taught * _LABELS_REPEAT > len(tally.lines):
        return
    lines = _lines(evaluation, unmet(evaluation.answers, tally.answers))
    if not lines:
        return
    code = "GT219" if is_classification and taught <= _FEW_LABELS else "GT220"
    of = f"none of the {taught} labels" if is_classification else f"none of the {taught} outputs"
    message = f"the expected answer of {listed(lines)} is {of} that are trained on: no run can give it"
    hint = "add examples with it, or write it as the training set does"
    yield _problem(evaluation, Fault(code, message, hint), lines.first[0])


def _lines(tally: Tally, rows: Iterable[int]) -> Lines:
    """The lines of rows that come in any order."""
    found = Lines()
    for row in sorted(rows):
        found.add(tally.lines[row])
    return found


def _named(sentences: Sequence[str], count: int) -> str:
    rest = count - len(sentences)
    return "; ".join(sentences) + (f"; and {rest:,} more" if rest > 0 else "")


def _problem(tally: Tally, fault: Fault, line: int = 0) -> Problem:
    """At a line, or of the file as a whole."""
    return Problem(tally.file, line, min(line, 1), fault.code, fault.message, CODES[fault.code].severity, fault.hint)

"""Rows and their rules to problems, hyperparameters to advice: no word of a row, only lines, counts, column names."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from controller.dataset.columns import left_out
from controller.dataset.invisible import comparable, invisible, written_apart
from controller.dataset.problems import CODES, FAMILIAR, Fault, Findings, listed
from controller.dataset.rows import ExampleRow, ReadDataset
from controller.errors import Problem, Severity
from controller.state.desired import Example
from controller.state.facts import ExampleLimits, StartingPoint
from controller.state.identity import Hyperparameters

TaskType = Literal["classification", "summarization", "search", "other"]

# Advice and no limit, after the first model-tuning guide, of 2025, for each kind of task.
ADVISED: dict[TaskType, tuple[int, int | None]] = {
    "classification": (100, None),
    "summarization": (100, None),  # "100-500+"
    "search": (100, None),
    "other": (100, 500),
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What one dataset has to keep to.

    ``limits`` are the provider's. ``evaluation`` is the set the finished run is asked, to be kept apart from this one;
    ``is_evaluation`` says that this is such a set, which is not sent and may be small.
    """

    limits: ExampleLimits
    task_type: TaskType = "other"
    evaluation: ReadDataset | None = None
    is_evaluation: bool = False


def check(read: ReadDataset, rules: Rules) -> tuple[Problem, ...]:
    """Everything the examples of a file are to be told, in the order of lines. What reading found is not repeated."""
    if not read.rows:
        return ()
    findings = Findings(read.file)
    look_at_texts(read, rules, findings)
    found = [*findings.problems(), *outer_space(read), *structure(read), *duplicates(read), *contradictions(read)]
    for line, fault in left_out(read.unused, len(read.rows), read.layout, read.written):
        found.append(_problem(read, fault.code, fault.message, fault.hint, line))
    if not rules.is_evaluation:
        found += [*_sizes(read, rules), *same_output(read, rules)]
    if rules.task_type == "classification":
        found += near_labels(read)
    if rules.evaluation is not None:
        found += overlap(read, rules.evaluation)
        found += untaught(read, rules.evaluation, rules)
    return tuple(sorted(found, key=lambda p: (p.line, p.column, p.code)))


def _sizes(read: ReadDataset, rules: Rules) -> Iterator[Problem]:
    most_bytes, fewest = rules.limits.inline_bytes, rules.limits.fewest
    if most_bytes is not None and (needed := request_bytes(read)) > most_bytes:
        message = f"the examples are {needed:,} bytes as JSON; the provider takes {most_bytes:,} in one request"
        yield _problem(read, "GT208", message, "shorten or drop examples")
    count = len(read.rows)
    least, most = ADVISED[rules.task_type]
    kind = "this kind of task" if rules.task_type == "other" else rules.task_type
    if count < fewest:
        yield _problem(read, "GT203", f"{count} examples; tuning takes at least {fewest}", "add examples")
    elif count < least:
        message = f"{count} examples; the guide advises {least} or more for {kind}"
        yield _problem(read, "GT204", message, "more examples, and more varied ones, help more than more epochs")
    elif most is not None and count > most:
        message = f"{count:,} examples; the guide advises {least} to {most} for {kind}"
        yield _problem(read, "GT205", message, "a smaller set of good examples costs less; keep it if all are good")


# C0 and C1 without tab and line breaks, DEL; U+FFFD is what a failed conversion leaves.
_ODD = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]")
_FEW = 0.2  # outer white space in up to this share of the rows is a slip; in more it is a habit


def look_at_texts(read: ReadDataset, rules: Rules, findings: Findings) -> None:
    """Note what is wrong with single texts."""
    name_in, name_out = read.layout.columns
    limits = rules.limits
    learned = limits.output_bytes
    for row, text_input in read.inputs():
        _one(text_input, name_in, row.line, findings)
        _one(row.example.output, name_out, row.line, findings)
        if len(row.example.text_input) > limits.input_characters:
            message = f"column '{name_in}' is longer than {limits.input_characters:,} characters"
            findings.add(Fault("GT206", message, "shorten it, or split the example"), row.line)
        if len(row.example.output) > limits.output_characters:
            message = f"column '{name_out}' is longer than {limits.output_characters:,} characters"
            findings.add(Fault("GT207", message, "shorten it"), row.line)
        elif learned is None or len(row.example.output.encode()) <= learned:
            continue
        elif rules.is_evaluation:
            message = f"column '{name_out}' is longer than the {learned:,} bytes that the provider answers with"
            findings.add(Fault("GT221", message, "shorten it, or the row counts as wrong"), row.line)
        else:
            message = f"column '{name_out}' is longer than the {learned:,} bytes that the provider learns"
            findings.add(Fault("GT207", message, "shorten it"), row.line)


def outer_space(read: ReadDataset) -> Iterator[Problem]:
    """Advice where some texts of a column begin or end in white space and most do not."""
    outputs = ((row.line, row.example.output) for row in read.rows)
    inputs = ((row.line, text) for row, text in read.inputs())
    for name, texts in zip(read.layout.columns, (inputs, outputs), strict=True):
        lines = [line for line, text in texts if text != (stripped := text.strip()) and stripped]
        if 0 < len(lines) <= _FEW * len(read.rows):
            message = f"column '{name}' begins or ends in white space on {listed(lines)}, and nowhere else"
            yield _problem(read, "GT213", message, "a model learns it as part of the text: trim it", lines[0])


def request_bytes(read: ReadDataset) -> int:
    """How many bytes of UTF-8 JSON the examples are in a create request."""
    frame = len('{"textInput":,"output":},')
    encode = msgspec.json.encode
    texts = sum(len(encode(row.example.text_input)) + len(encode(row.example.output)) for row in read.rows)
    return texts + frame * len(read.rows)


def _one(text: str, column: str, line: int, findings: Findings) -> None:
    if not (seen := comparable(text)) or seen.isspace():
        word = (
            "empty" if not text else "blank" if text.isspace() else "made of nothing but characters that cannot be seen"
        )
        findings.add(Fault("GT202", f"column '{column}' is {word}", "fill it in, or remove the example"), line)
        return
    if odd := _ODD.search(text):
        findings.add(_odd(text, odd[0], column), line)
    if text.isascii():
        return
    for name in invisible(text):
        hint = "remove it: a model learns it as part of the text, and nobody sees why an answer is wrong"
        findings.add(Fault("GT224", f"column '{column}' holds {name}, which cannot be seen", hint), line)
    if written_apart(text):
        message = f"column '{column}' is not in Unicode's NFC: letters and their accents are written apart"
        hint = "write the file in NFC, as nearly every program sends texts: a model takes the two for different words"
        findings.add(Fault("GT225", message, hint), line)


def _odd(text: str, first: str, column: str) -> Fault:
    if "\x00" in text:
        return Fault("GT215", f"column '{column}' holds a NUL character", "remove it: no service accepts it")
    if first == "\ufffd":
        hint = "an earlier conversion lost the character: restore it from the source"
        return Fault("GT216", f"column '{column}' holds the replacement character U+FFFD", hint)
    return Fault(
        "GT214", f"column '{column}' holds control characters", "remove them; only tabs and line breaks are text"
    )


_LABEL = re.compile(r"(?:\A|(?<=\s))([^\W\d_][\w-]{0,29}):(?=\s|\Z)")
_MOST = 0.6  # a label belongs to the set's structure where this share of the inputs carries it
_ENOUGH = 5  # below so many rows nothing is usual yet


def structure(read: ReadDataset) -> Iterator[Problem]:
    """A warning where most inputs carry the same labels in the same order and some do not."""
    if len(read.rows) < _ENOUGH:
        return
    texts = (comparable(text) for _, text in read.inputs())
    labels = [tuple(dict.fromkeys(_LABEL.findall(text))) if ":" in text else () for text in texts]
    counts = Counter(label for found in labels for label in found)
    usual = {label for label, count in counts.items() if count >= _MOST * len(read.rows)}
    if not usual:
        return
    orders = [tuple(label for label in found if label in usual) for found in labels]
    order, agreeing = Counter(orders).most_common(1)[0]
    odd = [row.line for row, found in zip(read.rows, orders, strict=True) if found != order]
    if odd and agreeing >= _MOST * len(read.rows):
        message = f"most inputs are built of {_parts(order)}; {listed(odd)} {'are' if len(odd) > 1 else 'is'} not"
        hint = "build every input in the same way: same labels, same spelling, same order"
        yield _problem(read, "GT212", message, hint, odd[0])


def _parts(order: tuple[str, ...]) -> str:
    """The labels by name where they are familiar words, else how many there are: a label is text of a row."""
    if all(label.casefold() in FAMILIAR for label in order):
        return " then ".join(f"'{label}:'" for label in order)
    return f"the same {len(order)} labelled parts in the same order" if len(order) > 1 else "one labelled part"


_PAIRS = 3  # so many pairs of lines are named; the rest is counted
_FEW_LABELS = 50  # of a classification: with so few, one that is missing from the examples is a slip
_LABELS_REPEAT = 2  # fewer examples for each output than this, and outputs are answers rather than labels


def _compared(example: Example) -> tuple[str, str]:
    return comparable(example.text_input), comparable(example.output)


def duplicates(read: ReadDataset) -> Iterator[Problem]:
    """Repeats, each with the line it repeats: rows that a reader could not tell apart."""
    first: dict[tuple[str, str], ExampleRow] = {}
    rows = [(row, first.setdefault(_compared(row.example), row)) for row in read.rows]
    if pairs := [(late.line, early.line) for late, early in rows if late is not early]:
        named = _named([f"line {late} repeats line {early}" for late, early in pairs])
        yield _problem(read, "GT209", named, "remove the repeat: it counts double in training", pairs[0][0])


def contradictions(read: ReadDataset) -> Iterator[Problem]:
    """The same input with another output."""
    first: dict[str, tuple[str, int]] = {}
    pairs: list[tuple[int, int]] = []
    for row in read.rows:
        asked, answer = _compared(row.example)
        output, line = first.setdefault(asked, (answer, row.line))
        if output != answer:
            pairs.append((row.line, line))
    if pairs:
        named = _named([f"line {late} has the input of line {early} and another output" for late, early in pairs])
        yield _problem(read, "GT210", named, "keep the one that is right", pairs[0][0])


def same_output(read: ReadDataset, rules: Rules) -> Iterator[Problem]:
    """Nothing can be learned where every answer is the same."""
    outputs = {comparable(row.example.output) for row in read.rows}
    if len(outputs) == 1 and len(read.rows) >= rules.limits.fewest:
        message = f"all {len(read.rows):,} examples have the same output"
        yield _problem(read, "GT217", message, "check that the columns are the right ones", read.rows[0].line)


def near_labels(read: ReadDataset) -> Iterator[Problem]:
    """Labels of a classification that a reader takes for the same: the rarer spelling is a slip."""
    spellings: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row in read.rows:
        spellings[_plain(row.example.output)][row.example.output].append(row.line)
    if len(spellings) * _LABELS_REPEAT > len(read.rows):
        return
    slips: list[int] = []
    for written in spellings.values():
        usual = max(written, key=lambda spelling: len(written[spelling]))
        slips += [line for spelling, lines in written.items() if spelling != usual for line in lines]
    if slips:
        slips.sort()
        where = f"{listed(slips)} {'have' if len(slips) > 1 else 'has'}"
        message = (
            f"{where} a label that differs from a more frequent one only in case, white space or how it is encoded"
        )
        yield _problem(read, "GT218", message, "write each label in one way", slips[0])


def overlap(read: ReadDataset, evaluation: ReadDataset) -> Iterator[Problem]:
    """Inputs of the evaluation set that are trained on, case and white space aside: their score proves nothing."""
    asked: dict[str, int] = {}
    for row in evaluation.rows:
        asked.setdefault(_plain(row.example.text_input), row.line)
    shared = [(row.line, asked[key]) for row in read.rows if (key := _plain(row.example.text_input)) in asked]
    if shared:
        named = _named([f"line {line} is also line {other} of {evaluation.file}" for line, other in shared])
        yield _problem(read, "GT211", named, "remove it from one of the two files", shared[0][0])


def untaught(read: ReadDataset, evaluation: ReadDataset, rules: Rules) -> Iterator[Problem]:
    """Answers of the evaluation set that no example has, compared as `exactMatch` does.

    A classification gives no label it was not taught: of few labels that is an error, of many some may be missing. Of
    other tasks it says something only where answers repeat as labels do.
    """
    taught = {comparable(row.example.output).strip() for row in read.rows}
    is_classification = rules.task_type == "classification"
    if not is_classification and len(taught) * _LABELS_REPEAT > len(read.rows):
        return
    lines = [row.line for row in evaluation.rows if comparable(row.example.output).strip() not in taught]
    if not lines:
        return
    code = "GT219" if is_classification and len(taught) <= _FEW_LABELS else "GT220"
    of = f"none of the {len(taught)} labels" if is_classification else f"none of the {len(taught)} outputs"
    message = f"the expected answer of {listed(lines)} is {of} that are trained on: no run can give it"
    hint = "add examples with it, or write it as the training set does"
    yield _problem(evaluation, code, message, hint, lines[0])


def _plain(text: str) -> str:
    return " ".join(comparable(text).split()).casefold()


def _named(sentences: Sequence[str]) -> str:
    rest = len(sentences) - _PAIRS
    return "; ".join(sentences[:_PAIRS]) + (f"; and {rest:,} more" if rest > 0 else "")


def _problem(read: ReadDataset, code: str, message: str, hint: str, line: int = 0) -> Problem:
    """At a line, or of the file as a whole."""
    return Problem(read.file, line, min(line, 1), code, message, CODES[code].severity, hint)


_SMALL_SET = 100
_MANY_EPOCHS = 50
_MANY_STEPS = 20_000
_FEW_STEPS = 10
_HIGH_RATE, _LOW_RATE = 0.01, 0.000_01
_HIGH_MULTIPLIER, _LOW_MULTIPLIER = 10.0, 0.01


@dataclass(frozen=True, slots=True)
class HyperparameterAdvice:
    """Advice on one field, as it is called in a spec. It has no place of its own: the spec knows the field's."""

    field: str
    code: str
    message: str
    hint: str

    @property
    def severity(self) -> Severity:
        """The default severity of the code."""
        return CODES[self.code].severity


def advise_hyperparameters(
    examples: int, hyperparameters: Hyperparameters, task_type: TaskType, start: StartingPoint
) -> tuple[HyperparameterAdvice, ...]:
    """What stands out beside what the provider's guide starts with, field by field.

    A field that is not written is the provider's to choose and gets no advice.
    """
    if examples < 1:
        return ()
    return (
        *_epochs(hyperparameters, task_type, start),
        *_batch(examples, hyperparameters, start),
        *_rate(examples, hyperparameters, start),
        *_steps(examples, hyperparameters, start),
    )


def steps(examples: int, epochs: int, batch: int) -> int:
    """How many steps a run takes: ``ceil(examples × epochs / batch)``, exact on every published sample."""
    return -(-examples * epochs // batch)


def _epochs(given: Hyperparameters, task_type: TaskType, start: StartingPoint) -> Iterator[HyperparameterAdvice]:
    if given.epoch_count is None or given.epoch_count <= _MANY_EPOCHS:
        return
    tail = "; a classification rarely needs them" if task_type == "classification" else ""
    message = f"{given.epoch_count:,} epochs; the guide starts with {start.epoch_count}{tail}"
    hint = "try fewer first: the loss curve of the run says how many were needed"
    yield HyperparameterAdvice("epochCount", "GT231", message, hint)


def _batch(examples: int, given: Hyperparameters, start: StartingPoint) -> Iterator[HyperparameterAdvice]:
    batch = given.batch_size
    if batch is not None and batch > start.batch_size and batch * 10 > examples:
        message = f"batch size {batch:,} for {examples:,} examples: an epoch is {steps(examples, 1, batch):,} steps"
        yield HyperparameterAdvice("batchSize", "GT232", message, f"start with the guide's {start.batch_size}")


def _rate(examples: int, given: Hyperparameters, start: StartingPoint) -> Iterator[HyperparameterAdvice]:
    rate, factor = given.learning_rate, given.learning_rate_multiplier
    if rate is not None:
        if examples < _SMALL_SET and rate > start.learning_rate:
            usual = f"the guide starts with {start.learning_rate:g}, smaller for few"
            message = f"learning rate {rate:g} for {examples} examples; {usual}"
            hint = f"try {start.learning_rate / 5:g} to {start.learning_rate:g}"
            yield HyperparameterAdvice("learningRate", "GT233", message, hint)
        elif not _LOW_RATE <= rate <= _HIGH_RATE:
            message = f"learning rate {rate:g}; the guide starts with {start.learning_rate:g}"
            yield HyperparameterAdvice("learningRate", "GT234", message, "change it by small factors from there")
    if factor is not None and not _LOW_MULTIPLIER <= factor <= _HIGH_MULTIPLIER:
        message = f"learning rate multiplier {factor:g}; 1 is the base model's own rate"
        yield HyperparameterAdvice("learningRateMultiplier", "GT234", message, "stay between 0.1 and 10")


def _steps(examples: int, given: Hyperparameters, start: StartingPoint) -> Iterator[HyperparameterAdvice]:
    epochs, batch = given.epoch_count or start.epoch_count, given.batch_size or start.batch_size
    total = steps(examples, epochs, batch)
    message = f"{examples:,} examples, {epochs:,} epochs and batches of {batch:,} make {total:,} steps"
    if total > _MANY_STEPS and given.epoch_count is not None:
        yield HyperparameterAdvice("epochCount", "GT235", message, "fewer epochs cost less and seldom learn less")
    elif total < _FEW_STEPS:
        field = "batchSize" if batch > start.batch_size else "epochCount"
        yield HyperparameterAdvice(field, "GT236", message, "more epochs or smaller batches give it time to learn")

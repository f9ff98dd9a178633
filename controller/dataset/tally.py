"""The batches of one set to all that its checks, its digest and its plan need to know: counts, keys, never a row."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import msgspec

from controller.dataset.digest import Digest
from controller.dataset.invisible import comparable, folded
from controller.dataset.problems import Fault, Findings, Lines
from controller.dataset.reading import Reading
from controller.dataset.repeats import Candidates, Keys, Repeats, new_keys
from controller.dataset.rows import Batch, TaskType
from controller.dataset.structure import Structure
from controller.dataset.texts import text_faults
from controller.state.desired import Example
from controller.state.facts import ExampleLimits, Turns

_FRAME = len('{"textInput":,"output":},')


@dataclass(frozen=True, slots=True)
class Rules:
    """What one dataset has to keep to.

    ``limits`` are the provider's. ``evaluation`` is the set the finished run is asked, to be kept apart from this one;
    ``is_evaluation`` says that this is such a set, which is not sent and may be small.
    """

    limits: ExampleLimits
    task_type: TaskType = "other"
    evaluation: Tally | None = None
    is_evaluation: bool = False


class Tally:
    """What the examples of one set come to, batch by batch of a reading."""

    def __init__(self, reading: Reading, rules: Rules) -> None:
        self.file = reading.file
        self.rules = rules
        self.lines = array("I")
        self.inputs: Keys = new_keys()  # all that a reply rests on, as it is compared
        self.outputs: Keys = new_keys()
        self.asked: Candidates = Candidates(rules.evaluation.asked if rules.evaluation else None)
        self.answers: Keys = new_keys()  # outputs as `exactMatch` compares them
        self.labels: Keys = new_keys()  # outputs of a classification, case and white space aside
        self.spellings: Keys = new_keys()
        self.structure = Structure()
        self.findings = Findings(reading.file)
        self.spaced = (Lines(), Lines())
        self.characters = 0
        self.request_bytes = 0
        self.digest = Digest()
        self.subjects = reading.subjects
        self._reading = reading
        self._is_compared = rules.is_evaluation or rules.evaluation is not None

    def __repr__(self) -> str:
        """How much, and nothing of it."""
        return f"<Tally of {len(self.lines)} examples>"

    @cached_property
    def repeats(self) -> Repeats:
        """The rows that share their input, once all are here."""
        return Repeats(self.inputs, self.outputs)

    def add(self, batch: Batch) -> None:
        """The next examples."""
        examples = batch.examples
        inputs = [example.text_input for example in examples]
        outputs = [example.output for example in examples]
        self.subjects = self._reading.subjects
        self.lines.extend(batch.lines)
        self.digest.add(examples)
        self._judge(batch, inputs, outputs)
        if batch.is_paired:
            sizes = list(map(len, inputs))
        else:
            sizes = [sum(map(len, example.texts[:-1])) for example in examples]
            inputs = list(map(_context, examples))
        self.characters += sum(sizes) + sum(map(len, outputs))
        self._measure(batch.lines, sizes, outputs)
        if self.rules.limits.inline_bytes is not None and not self.rules.is_evaluation:
            encode = msgspec.json.encode
            self.request_bytes += sum(len(encode(text)) for text in (*inputs, *outputs)) + _FRAME * len(examples)
        if not batch.is_plain:
            inputs, outputs = list(map(comparable, inputs)), list(map(comparable, outputs))
        self._compare(inputs, outputs)
        if self.rules.task_type == "classification":
            self.spellings.extend(hash(example.output) for example in examples)

    def _compare(self, inputs: list[str], outputs: list[str]) -> None:
        """Keep the keys of texts that are in the form in which they are compared."""
        self.inputs.extend(map(hash, inputs))
        self.outputs.extend(map(hash, outputs))
        if self._is_compared:
            self.asked.add(inputs)
            self.answers.extend([hash(text.strip()) for text in outputs])
        if self.rules.task_type == "classification":
            self.labels.extend([hash(folded(text)) for text in outputs])

    def _measure(self, lines: list[int], sizes: list[int], outputs: list[str]) -> None:
        """Note the examples whose texts are too long; ``sizes`` count all characters before the output."""
        limits, (asks, answers) = self.rules.limits, self.subjects
        if sizes and max(sizes) > limits.input_characters:
            message = f"{asks} is longer than {limits.input_characters:,} characters"
            for line, size in zip(lines, sizes, strict=True):
                if size > limits.input_characters:
                    self.findings.add(Fault("GT206", message, "shorten it, or split the example"), line)
        for line, _ in _longer(lines, outputs, limits.output_characters):
            message = f"{answers} is longer than {limits.output_characters:,} characters"
            self.findings.add(Fault("GT207", message, "shorten it"), line)
        learned = limits.output_bytes
        if learned is None:
            return
        for line, text in _longer(lines, outputs, learned // 4):
            if len(text) > limits.output_characters or len(text.encode()) <= learned:
                continue
            if self.rules.is_evaluation:
                message = f"{answers} is longer than the {learned:,} bytes that the provider answers with"
                self.findings.add(Fault("GT221", message, "shorten it, or the row counts as wrong"), line)
            else:
                message = f"{answers} is longer than the {learned:,} bytes that the provider learns"
                self.findings.add(Fault("GT207", message, "shorten it"), line)

    def _judge(self, batch: Batch, inputs: list[str], outputs: list[str]) -> None:
        """Note what is wrong with single texts as they stand in the file, and which parts inputs are built of."""
        if prefix := self._reading.layout.prefix:
            cut = len(prefix)
            inputs = [
                text if example.earlier else text[cut:] for text, example in zip(inputs, batch.examples, strict=True)
            ]
        for subject, texts, spaced in zip(self.subjects, (inputs, outputs), self.spaced, strict=True):
            stripped = list(map(str.strip, texts))
            if not batch.is_plain or not all(stripped):
                for line, text in zip(batch.lines, texts, strict=True):
                    self._note(text, subject, line)
            for line, text, seen in zip(batch.lines, texts, stripped, strict=True):
                if text is not seen and text != seen and seen:
                    spaced.add(line)
        if not batch.is_paired:
            self._judge_before(batch, len(prefix))
            for line, example in zip(batch.lines, batch.examples, strict=True):
                for fault in not_taken(example, self.rules.limits):
                    self.findings.add(fault, line)
        self.structure.add(inputs if batch.is_plain else map(comparable, inputs))

    def _judge_before(self, batch: Batch, cut: int) -> None:
        """Note what is wrong with what stands before the last turn of a user."""
        asks, answers = self.subjects
        for line, example in zip(batch.lines, batch.examples, strict=True):
            if example.system:
                self._note(example.system, "the system message", line)
            for place, one in enumerate(example.earlier):
                self._note(one.text_input if place else one.text_input[cut:], asks, line)
                self._note(one.output, answers, line)

    def _note(self, text: str, subject: str, line: int) -> None:
        for fault in text_faults(text, subject):
            self.findings.add(fault, line)


_SPEC_PREFIX = "put its text into dataset.prefix, or tune on a provider that takes one"
_LEARNED = {
    Turns.LAST: "the last turn of the model alone",
    Turns.ALL: "every turn of the model",
    Turns.LAST_OR_ALL: "the last turn of the model, or every one",
}


# Whether the model's turns before the last are learned: as a provider may take them.
_TAKEN = {
    Turns.LAST: ({False},),
    Turns.ALL: ({True},),
    Turns.LAST_OR_ALL: ({False}, {True}),
}


def not_taken(example: Example, limits: ExampleLimits) -> Iterator[Fault]:
    """What of a conversation its provider cannot take, by its facts."""
    if example.system and not limits.system:
        yield Fault("GT275", "the example has a system message, which the provider does not take", _SPEC_PREFIX)
    if not example.earlier:
        return
    learned = {one.learned for one in example.earlier}
    taken = _TAKEN.get(limits.turns)
    if limits.turns is Turns.NONE:
        hint = "split it into examples of one turn each, or tune on a provider that takes conversations"
        yield Fault("GT274", "the example has several turns, and the provider takes one", hint)
    elif taken is not None and learned not in taken:
        hint = "set dataset.learn: all" if limits.turns is Turns.ALL else "set dataset.learn: last, or drop the weights"
        message = f"the provider learns {_LEARNED[limits.turns]}, and the example says otherwise"
        yield Fault("GT274", message, hint)


def _context(example: Example) -> str:
    """All that the last reply rests on, as one text; of a pair its input."""
    return example.text_input if example.is_pair else "\x1e".join(example.texts[:-1])


def _longer(lines: list[int], texts: list[str], most: int) -> Iterator[tuple[int, str]]:
    if texts and max(map(len, texts)) > most:
        yield from ((line, text) for line, text in zip(lines, texts, strict=True) if len(text) > most)

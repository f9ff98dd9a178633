"""The batches of one set to all that its checks, its digest and its plan need to know: counts, keys, never a row."""

from __future__ import annotations

import hashlib
import struct
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import msgspec

from controller.dataset.invisible import comparable
from controller.dataset.problems import Fault, Findings, Lines
from controller.dataset.repeats import Keys, Repeats, new_keys
from controller.dataset.rows import Batch, Layout, TaskType
from controller.dataset.structure import Structure
from controller.dataset.texts import text_faults
from controller.state.desired import Example
from controller.state.facts import ExampleLimits

DIGEST_VERSION = "gitune-examples/1"
_CONVERSATION = b"\xff" * 8 + b"gitune-conversation/1\n"  # eight bytes of 255 are the length of no text
_FRAME = len('{"textInput":,"output":},')
_length = struct.Struct(">Q").pack


class Digest:
    """SHA-256 over examples as sent, in order. Frozen by golden vectors.

    The preimage is ``gitune-examples/1`` and a line feed; then for each pair its input and its output, each as UTF-8
    behind its length in bytes (8 bytes, big-endian). A conversation is eight bytes 255, ``gitune-conversation/1`` and
    a line feed, its system message (length and UTF-8, as any text), how many exchanges (8 bytes, big-endian), and for
    each its input, its output, and a byte 1 where the output is learned, else 0. So no two lists share a preimage.
    """

    def __init__(self) -> None:
        self._sha = hashlib.sha256(f"{DIGEST_VERSION}\n".encode())
        self.bytes = 0  # of all texts so far

    def add(self, examples: Sequence[Example]) -> None:
        """The next examples."""
        parts: list[bytes] = []
        size, pack = 0, _length
        for example in examples:
            if example.earlier or example.system:
                size += self._conversation(example, parts)
                continue
            # Half a surrogate pair is refused by every reader; the digest of one must still be one, not a crash.
            text_input = example.text_input.encode("utf-8", "surrogatepass")
            output = example.output.encode("utf-8", "surrogatepass")
            size_in, size_out = len(text_input), len(output)
            size += size_in + size_out
            parts += (pack(size_in), text_input, pack(size_out), output)
        self._sha.update(b"".join(parts))
        self.bytes += size

    def hex(self) -> str:
        """64 hex digits."""
        return self._sha.hexdigest()

    @staticmethod
    def _conversation(example: Example, parts: list[bytes]) -> int:
        system, exchanges = _utf8(example.system), example.exchanges
        size = len(system)
        parts += (_CONVERSATION, _length(size), system, _length(len(exchanges)))
        for one in exchanges:
            text_input, output = _utf8(one.text_input), _utf8(one.output)
            size += len(text_input) + len(output)
            parts += (_length(len(text_input)), text_input, _length(len(output)), output, bytes((one.learned,)))
        return size


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


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
    """What the examples of one set come to, batch by batch."""

    def __init__(self, file: str, layout: Layout, rules: Rules) -> None:
        self.file = file
        self.layout = layout
        self.rules = rules
        self.lines = array("I")
        self.inputs: Keys = new_keys()  # all that a reply rests on, as it is compared
        self.outputs: Keys = new_keys()
        self.asked: Candidates = Candidates(rules.evaluation.asked if rules.evaluation else None)
        self.answers: Keys = new_keys()  # outputs as `exactMatch` compares them
        self.labels: Keys = new_keys()  # outputs of a classification, case and white space aside
        self.spellings: Keys = new_keys()
        self.structure = Structure()
        self.findings = Findings(file)
        self.spaced = (Lines(), Lines())
        self.characters = 0
        self.request_bytes = 0
        self.digest = Digest()
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
        self.lines.extend(batch.lines)
        self.digest.add(examples)
        self.characters += sum(map(len, inputs)) + sum(map(len, outputs))
        if self.rules.limits.inline_bytes is not None and not self.rules.is_evaluation:
            encode = msgspec.json.encode
            self.request_bytes += sum(len(encode(text)) for text in (*inputs, *outputs)) + _FRAME * len(examples)
        self._measure(batch.lines, inputs, outputs)
        self._judge(batch, inputs, outputs)
        if not batch.is_plain:
            inputs, outputs = list(map(comparable, inputs)), list(map(comparable, outputs))
        self.inputs.extend(map(hash, inputs))
        self.outputs.extend(map(hash, outputs))
        if self._is_compared:
            self.asked.add(inputs)
            self.answers.extend([hash(text.strip()) for text in outputs])
        if self.rules.task_type == "classification":
            self.labels.extend([hash(plain(text)) for text in outputs])
            self.spellings.extend(map(hash, (example.output for example in examples)))

    def _measure(self, lines: list[int], inputs: list[str], outputs: list[str]) -> None:
        """Note the texts that are too long."""
        limits = self.rules.limits
        name_in, name_out = self.layout.columns
        for line, _ in _longer(lines, inputs, limits.input_characters):
            message = f"column '{name_in}' is longer than {limits.input_characters:,} characters"
            self.findings.add(Fault("GT206", message, "shorten it, or split the example"), line)
        for line, _ in _longer(lines, outputs, limits.output_characters):
            message = f"column '{name_out}' is longer than {limits.output_characters:,} characters"
            self.findings.add(Fault("GT207", message, "shorten it"), line)
        learned = limits.output_bytes
        if learned is None:
            return
        for line, text in _longer(lines, outputs, learned // 4):
            if len(text) > limits.output_characters or len(text.encode()) <= learned:
                continue
            if self.rules.is_evaluation:
                message = f"column '{name_out}' is longer than the {learned:,} bytes that the provider answers with"
                self.findings.add(Fault("GT221", message, "shorten it, or the row counts as wrong"), line)
            else:
                message = f"column '{name_out}' is longer than the {learned:,} bytes that the provider learns"
                self.findings.add(Fault("GT207", message, "shorten it"), line)

    def _judge(self, batch: Batch, inputs: list[str], outputs: list[str]) -> None:
        """Note what is wrong with single texts as they stand in the file, and which parts inputs are built of."""
        if cut := len(self.layout.prefix):
            inputs = [text[cut:] for text in inputs]
        for name, texts, spaced in zip(self.layout.columns, (inputs, outputs), self.spaced, strict=True):
            stripped = list(map(str.strip, texts))
            if not batch.is_plain or not all(stripped):
                for line, text in zip(batch.lines, texts, strict=True):
                    for fault in text_faults(text, f"column '{name}'"):
                        self.findings.add(fault, line)
            for line, text, seen in zip(batch.lines, texts, stripped, strict=True):
                if text is not seen and text != seen and seen:
                    spaced.add(line)
        self.structure.add(inputs if batch.is_plain else map(comparable, inputs))


def _longer(lines: list[int], texts: list[str], most: int) -> Iterator[tuple[int, str]]:
    if texts and max(map(len, texts)) > most:
        yield from ((line, text) for line, text in zip(lines, texts, strict=True) if len(text) > most)


def plain(text: str) -> str:
    """A text as it is compared, case and white space aside."""
    return " ".join(comparable(text).split()).casefold()


_ENDS = 16  # characters of a text's beginning and end by which most pairs of texts are told apart
_LOOKED_AT = 32
_MOST_ENDS = 100_000


class Candidates:
    """Inputs, case and white space aside, that may be among those of another set: their keys and rows.

    Putting a text into that form costs more than all else that is done with it, so those that begin or end in a way
    that none of the others does are left out.
    """

    def __init__(self, others: Candidates | None = None) -> None:
        self.keys: Keys = new_keys()
        self.rows = array("I")
        self._count = 0
        self._begins: set[str] = set()
        self._ends: set[str] = set()
        self._others = others if others and len(others.rows) <= _MOST_ENDS else None
        self._is_other = others is None

    def add(self, texts: Sequence[str]) -> None:
        """The next inputs, as they are compared."""
        for row, text in enumerate(texts, self._count):
            if self._others is not None and self._others.lacks(text):
                continue
            seen = plain(text)
            self.keys.append(hash(seen))
            self.rows.append(row)
            if self._is_other and row < _MOST_ENDS:
                self._begins.add(seen[:_ENDS])
                self._ends.add(seen[-_ENDS:])
        self._count += len(texts)

    def lacks(self, text: str) -> bool:
        """Whether it is none of these for sure. Of ASCII only: elsewhere a cut may part a letter from its accent."""
        if not text.isascii() or len(text) < _LOOKED_AT:
            return False
        end = " ".join(text[-_LOOKED_AT:].split()).casefold()
        if len(end) >= _ENDS and end[-_ENDS:] not in self._ends:
            return True
        begin = " ".join(text[:_LOOKED_AT].split()).casefold()
        return len(begin) >= _ENDS and begin[:_ENDS] not in self._begins

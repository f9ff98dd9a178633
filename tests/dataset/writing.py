"""Conversations as the formats that people export write them, and a seeded supply of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from random import Random  # noqa: TID251 - seeded below

from controller.state.desired import Example, Exchange

Row = dict[str, object]


def _openai(
    example: Example, user: str = "user", model: str = "assistant", by: str = "role", of: str = "content"
) -> list[Row]:
    turns: list[Row] = [{by: "system", of: example.system}] if example.system else []
    for one in example.exchanges:
        turns += [{by: user, of: one.text_input}, {by: model, of: one.output}]
    return turns


def messages(example: Example) -> Row:
    return {"messages": _openai(example)}


def weighted(example: Example) -> Row:
    turns = _openai(example)
    for turn, one in zip([t for t in turns if t["role"] == "assistant"], example.exchanges, strict=True):
        turn["weight"] = int(one.learned)
    return {"messages": turns}


def parted(example: Example) -> Row:
    """Each content as parts, as clients write it that may send images too."""
    turns = _openai(example)
    for turn in turns:
        text = str(turn["content"])
        turn["content"] = [{"type": "text", "text": text[:3]}, {"type": "text", "text": text[3:]}]
    return {"messages": turns}


def apart(example: Example) -> Row:
    turns = _openai(example)
    return {"system": example.system, "messages": turns[1:] if example.system else turns}


def contents(example: Example, system: str = "systemInstruction") -> Row:
    turns: list[Row] = []
    for one in example.exchanges:
        turns += [
            {"role": "user", "parts": [{"text": one.text_input}]},
            {"role": "model", "parts": [{"text": one.output}]},
        ]
    told: Row = {system: {"role": "system", "parts": [{"text": example.system}]}} if example.system else {}
    return {**told, "contents": turns}


def snake(example: Example) -> Row:
    return contents(example, "system_instruction")


def sharegpt(example: Example) -> Row:
    return {"conversations": _openai(example, "human", "gpt", "from", "value")}


def completion(example: Example) -> Row:
    turns = _openai(example)
    return {"prompt": turns[:-1], "completion": turns[-1:]}


SHAPES: Mapping[str, Callable[[Example], Row]] = {
    "messages": messages,
    "messages of parts": parted,
    "a system message beside them": apart,
    "contents": contents,
    "contents in snake case": snake,
    "sharegpt": sharegpt,
    "prompt and completion of messages": completion,
}


def lines(examples: Iterable[Example], write: Callable[[Example], Row], *, ascii_only: bool = False) -> bytes:
    return b"".join(json.dumps(write(one), ensure_ascii=ascii_only).encode() + b"\n" for one in examples)


_WORDS = (
    "why",
    "is",
    "the",
    "sky",
    "blue",
    "Größe",
    "数",
    "élan",
    "👍🏽",
    '"so"',
    "a\\b",
    "\n",
    "\t",
    "x: y",
    "1.0",
    "question:",
)


def conversations(count: int, seed: int, *, learned: bool = False) -> Iterator[Example]:
    """Conversations of one to four exchanges, half of them with a system message; some earlier replies are learned."""
    chance = Random(seed)  # noqa: S311 - the same texts on every machine

    def text() -> str:
        return f"{chance.randrange(10**6)} " + " ".join(chance.choices(_WORDS, k=chance.randrange(1, 9)))

    for _ in range(count):
        earlier = tuple(
            Exchange(text(), text(), learned and chance.random() < 0.5) for _ in range(chance.choice((0, 0, 1, 2, 3)))
        )
        yield Example(text(), text(), text() if chance.random() < 0.5 else "", earlier)

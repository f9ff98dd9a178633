"""Trained weights and a generateContent request in, the answer's bytes and its JSON message out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from controller.server import tiny
from controller.server.models import SamplingDefaults, TunableModel
from controller.server.payload import Node
from controller.server.status import Json
from controller.server.tiny import END, Floats, bag_of

PROMPT_LIMIT: Final = 40_000
_REFUSED: Final = {
    "systemInstruction": "a tuned model takes no system instruction",
    "tools": "a tuned model uses no tools",
    "toolConfig": "a tuned model uses no tools",
    "cachedContent": "a tuned model uses no cached content",
}
_REFUSED_SETTINGS: Final = {
    "responseSchema": "a tuned model has no JSON mode",
    "responseJsonSchema": "a tuned model has no JSON mode",
    "responseModalities": "a tuned model answers in text only",
    "speechConfig": "a tuned model answers in text only",
    "thinkingConfig": "this model does not think",
    "responseLogprobs": "this model reports no log probabilities",
    "logprobs": "this model reports no log probabilities",
    "presencePenalty": "this model knows no penalties",
    "frequencyPenalty": "this model knows no penalties",
}


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked, and how the answer is to be drawn; ``limit`` in bytes."""

    text: str = field(repr=False)
    sampling: SamplingDefaults
    limit: int
    stops: tuple[bytes, ...]
    seed: int | None


def read_prompt(raw: Json, base: TunableModel, own: SamplingDefaults) -> Prompt:
    """The request, settled against the model's own sampling and the base model's. Raises `ApiError`."""
    node = Node(raw)
    node.refuse(_REFUSED)
    node.skip("model", "safetySettings")  # nothing is filtered here, so there is nothing to set
    text = _read_contents(node)
    prompt = _read_settings(node.node("generationConfig"), text, base, own)
    node.close()
    node.check()
    return prompt


def _read_contents(node: Node) -> str:
    contents = node.nodes("contents")
    if len(contents) != 1:
        node.fault("contents", f"must hold exactly one turn, not {len(contents)}: tuned models answer single turns")
        return ""
    content = contents[0]
    if (content.string("role") or "user") != "user":
        content.fault("role", "must be user")
    texts = []
    for part in content.nodes("parts"):
        text = part.string("text")
        if text is None:
            part.fault("", "is no text; tuned models take text only")
            continue
        texts.append(text)
        part.close()
    content.close()
    whole = "".join(texts)
    if not texts:
        content.fault("parts", "must hold a text")
    content.at_most("parts", whole, PROMPT_LIMIT)
    return whole


def _read_settings(settings: Node, text: str, base: TunableModel, own: SamplingDefaults) -> Prompt:
    settings.refuse(_REFUSED_SETTINGS)
    if (settings.string("responseMimeType") or "text/plain") != "text/plain":
        settings.fault("responseMimeType", "must be text/plain: a tuned model has no JSON mode")
    if (settings.integer("candidateCount") or 1) != 1:
        settings.fault("candidateCount", "must be 1")
    sampling = settings.sampling().over(own).over(base.sampling)
    limit = min(settings.positive_integer("maxOutputTokens") or base.output_bytes, base.output_bytes)
    stops = settings.strings("stopSequences")
    seed = settings.integer("seed")
    settings.close()
    return Prompt(text, sampling, limit, tuple(stop.encode() for stop in stops if stop), seed)


def answer(
    model_name: str, weights: Floats, prompt: Prompt, base: TunableModel, go_on: Callable[[], None]
) -> dict[str, Json]:
    """The GenerateContentResponse message. Tokens are bytes here. ``go_on`` is called before each byte, may raise."""
    drawn, finished = _draw_all(weights, prompt, base, go_on)
    content: Json = {"parts": [{"text": drawn.decode(errors="replace")}], "role": "model"}
    asked = len(prompt.text.encode())
    return {
        "candidates": [{"content": content, "finishReason": "STOP" if finished else "MAX_TOKENS", "index": 0}],
        "usageMetadata": {
            "promptTokenCount": asked,
            "candidatesTokenCount": len(drawn),
            "totalTokenCount": asked + len(drawn),
        },
        "modelVersion": model_name,
    }


def _draw_all(weights: Floats, prompt: Prompt, base: TunableModel, go_on: Callable[[], None]) -> tuple[bytes, bool]:
    """The answer, and whether it ended by itself.

    Without a seed the prompt seeds the draw: the same question has the same answer.
    """
    source = prompt.text.encode()[-base.input_bytes :]
    output = tiny.Continuation(tiny.unpack(weights), source, bag_of(source.decode(errors="ignore")))
    digest = hashlib.sha256(source).digest()[:8] if prompt.seed is None else str(prompt.seed).encode()
    chance = np.random.default_rng(list(digest))
    drawn = b""
    while len(drawn) < prompt.limit:
        go_on()
        token = _draw(output.scores()[: END + 1], prompt.sampling, chance)
        if token >= END - 1:  # START never follows anything it was trained on; it ends the answer like END
            return drawn, True
        drawn += bytes([token])
        stop = next((stop for stop in prompt.stops if drawn.endswith(stop)), None)
        if stop is not None:
            return drawn[: -len(stop)], True
        if len(drawn) < prompt.limit:
            output.append(token)
    return drawn, False


def _draw(scores: Floats, sampling: SamplingDefaults, chance: np.random.Generator) -> int:
    """The next token: the likeliest at temperature 0, else drawn among the topK likeliest that make up topP."""
    if not sampling.temperature:
        return int(np.argmax(scores))
    order = np.argsort(-scores, kind="stable")[: sampling.top_k]
    odds = np.exp((scores[order] - scores[order[0]]).astype(np.float64) / sampling.temperature)
    odds /= odds.sum()
    kept = int(np.searchsorted(np.cumsum(odds), 1.0 if sampling.top_p is None else sampling.top_p)) + 1
    odds = odds[:kept] / odds[:kept].sum()
    return int(chance.choice(order[: len(odds)], p=odds))

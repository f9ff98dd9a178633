"""Trained weights and a generateContent request in, the answer's bytes and its JSON message out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from controller.server import tiny
from controller.server.base_models import TunableModel
from controller.server.models import SamplingDefaults
from controller.server.payload import Node
from controller.server.status import Json
from controller.server.tiny import END, Encoded, Floats, bag_of, collate

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
_SAFE_SETTINGS: Final = "safetySettings"


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked, and how the answer is to be drawn; ``limit`` in bytes."""

    text: str = field(repr=False)
    sampling: SamplingDefaults
    limit: int
    stops: tuple[bytes, ...]
    seed: int | None


@dataclass(frozen=True, slots=True)
class Completion:
    """The answer, whether it ended by itself, and the sizes of both sides in bytes."""

    text: str = field(repr=False)
    finished: bool
    prompt_bytes: int
    answer_bytes: int


def read_prompt(raw: Json, base: TunableModel, own: SamplingDefaults) -> Prompt:
    """The request, settled against the model's own sampling and the base model's. Raises `Refused`."""
    node = Node(raw)
    for name, why in _REFUSED.items():
        if node.has(name):
            node.fault(name, why)
    node.skip("model", _SAFE_SETTINGS, *_REFUSED)  # nothing is filtered here, so there is nothing to set
    text = _read_contents(node)
    settings = node.node("generationConfig") or Node({}, "generationConfig", node.faults)
    prompt = _read_settings(settings, text, base, own)
    node.close()
    node.check()
    return prompt


def _read_contents(node: Node) -> str:
    contents = node.nodes("contents") or []
    if len(contents) != 1:
        node.fault("contents", f"must hold exactly one turn, not {len(contents)}: tuned models answer single turns")
        return ""
    content = contents[0]
    if (content.string("role") or "user") != "user":
        content.fault("role", "must be user")
    texts = []
    for part in content.nodes("parts") or []:
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
    if len(whole) > PROMPT_LIMIT:
        content.fault("parts", f"has {len(whole)} characters; the limit is {PROMPT_LIMIT}")
    return whole


def _read_settings(settings: Node, text: str, base: TunableModel, own: SamplingDefaults) -> Prompt:
    for name, why in _REFUSED_SETTINGS.items():
        if settings.has(name):
            settings.fault(name, why)
    settings.skip(*_REFUSED_SETTINGS)
    if (settings.string("responseMimeType") or "text/plain") != "text/plain":
        settings.fault("responseMimeType", "must be text/plain: a tuned model has no JSON mode")
    if (settings.integer("candidateCount") or 1) != 1:
        settings.fault("candidateCount", "must be 1")
    sampling = SamplingDefaults(
        _first(settings.share("temperature"), own.temperature, base.temperature),
        _first(settings.share("topP"), own.top_p, base.top_p),
        settings.positive_integer("topK") or own.top_k or base.top_k,
    )
    limit = min(settings.positive_integer("maxOutputTokens") or base.output_bytes, base.output_bytes)
    stops = settings.strings("stopSequences") or ()
    seed = settings.integer("seed")
    settings.close()
    return Prompt(text, sampling, limit, tuple(stop.encode() for stop in stops if stop), seed)


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


def answer(weights: Floats, prompt: Prompt, base: TunableModel) -> Completion:
    """The answer, byte by byte. Without a seed the prompt seeds the draw: the same question has the same answer."""
    named = tiny.unpack(weights)
    source = prompt.text.encode()[-base.input_bytes :]
    buckets = bag_of(source.decode(errors="ignore"))
    digest = hashlib.sha256(source).digest()[:8] if prompt.seed is None else str(prompt.seed).encode()
    chance = np.random.default_rng(list(digest))
    drawn, finished = b"", False
    while len(drawn) < prompt.limit:
        scores = tiny.scores(named, collate([Encoded(source, drawn, buckets)]))[0, -1]
        token = _draw(scores[: END + 1], prompt.sampling, chance)
        if token >= END - 1:  # START never follows anything it was trained on; it ends the answer like END
            finished = True
            break
        drawn += bytes([token])
        stop = next((stop for stop in prompt.stops if drawn.endswith(stop)), None)
        if stop is not None:
            drawn, finished = drawn[: -len(stop)], True
            break
    return Completion(drawn.decode(errors="replace"), finished, len(prompt.text.encode()), len(drawn))


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


def render_answer(given: Completion, model_name: str) -> dict[str, Json]:
    """The GenerateContentResponse message."""
    return {
        "candidates": [
            {
                "content": {"parts": [{"text": given.text}], "role": "model"},
                "finishReason": "STOP" if given.finished else "MAX_TOKENS",
                "index": 0,
            }
        ],
        "usageMetadata": {
            "promptTokenCount": given.prompt_bytes,
            "candidatesTokenCount": given.answer_bytes,
            "totalTokenCount": given.prompt_bytes + given.answer_bytes,
        },
        "modelVersion": model_name,
    }

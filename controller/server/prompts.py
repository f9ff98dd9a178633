"""A generateContent request in, a settled prompt out; a completion in, its JSON message out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from controller.server.models import SamplingDefaults, TunableModel
from controller.server.payload import Node
from controller.server.status import Json

PROMPT_LIMIT: Final = 40_000
_REFUSED: Final = {
    "tools": "a tuned model uses no tools",
    "toolConfig": "a tuned model uses no tools",
    "cachedContent": "a tuned model uses no cached content",
}
_REFUSED_SYSTEM: Final = {"systemInstruction": "a tuned model takes no system instruction"}
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
    """What is asked, and how the answer is to be drawn; ``limit`` in tokens.

    ``history`` holds the turns before ``text``, ``user`` and ``model`` by turns, where the base model takes several.
    """

    text: str = field(repr=False)
    sampling: SamplingDefaults
    limit: int
    stops: tuple[str, ...]
    seed: int | None
    system: str = field(default="", repr=False)
    history: tuple[tuple[str, str], ...] = field(default=(), repr=False)


def read_prompt(raw: Json, base: TunableModel, own: SamplingDefaults) -> Prompt:
    """The request, settled against the model's own sampling and the base model's. Raises `ApiError`."""
    node = Node(raw)
    node.refuse(_REFUSED if base.conversations else _REFUSED | _REFUSED_SYSTEM)
    node.skip("model", "safetySettings")  # nothing is filtered here, so there is nothing to set
    turns, system = _read_turns(node, base), ""
    if base.conversations and node.has("systemInstruction"):
        instruction = node.node("systemInstruction")
        instruction.skip("role")
        system = _read_parts(instruction)
        instruction.close()
    prompt = _read_settings(node.node("generationConfig"), turns[-1][1], base, own)
    node.close()
    node.check()
    return replace(prompt, system=system, history=tuple(turns[:-1]))


def _read_turns(node: Node, base: TunableModel) -> list[tuple[str, str]]:
    """The turns, the last one the question; one empty turn where there is a fault."""
    contents = node.nodes("contents")
    if not contents or (len(contents) != 1 and not base.conversations):
        why = "" if base.conversations else ": tuned models answer single turns"
        node.fault("contents", f"must hold exactly one turn, not {len(contents)}{why}")
        return [("user", "")]
    turns = [(_read_role(content, i, len(contents)), _read_parts(content)) for i, content in enumerate(contents)]
    for content in contents:
        content.close()
    return turns


def _read_role(content: Node, place: int, count: int) -> str:
    """Turns alternate, and the last is the user's: it is the question."""
    role, due = content.string("role") or "user", "user" if (count - place) % 2 else "model"
    if role != due:
        content.fault("role", f"must be {due}")
    return due


def _read_parts(content: Node) -> str:
    texts = []
    for part in content.nodes("parts"):
        text = part.string("text")
        if text is None:
            part.fault("", "is no text; tuned models take text only")
            continue
        texts.append(text)
        part.close()
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
    limit = min(settings.positive_integer("maxOutputTokens") or base.output_tokens, base.output_tokens)
    stops = settings.strings("stopSequences")
    seed = settings.integer("seed")
    settings.close()
    return Prompt(text, sampling, limit, tuple(stop for stop in stops if stop), seed)


@dataclass(frozen=True, slots=True)
class Completion:
    """A generated answer, and the tokens that went in and came out. ``finished``: it ended by itself."""

    text: str = field(repr=False)
    finished: bool
    prompt_tokens: int
    tokens: int

    def render(self, model_name: str) -> dict[str, Json]:
        """The GenerateContentResponse message."""
        content: Json = {"parts": [{"text": self.text}], "role": "model"}
        return {
            "candidates": [{"content": content, "finishReason": "STOP" if self.finished else "MAX_TOKENS", "index": 0}],
            "usageMetadata": {
                "promptTokenCount": self.prompt_tokens,
                "candidatesTokenCount": self.tokens,
                "totalTokenCount": self.prompt_tokens + self.tokens,
            },
            "modelVersion": model_name,
        }

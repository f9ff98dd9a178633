"""Tuned weights of `models/tiny` and a prompt in, the answer's bytes out."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from controller.server.engines.drawing import chance_for, draw
from controller.server.engines.port import TunedWeights
from controller.server.engines.tiny import network
from controller.server.engines.tiny.base import TINY, WEIGHTS_FILE
from controller.server.engines.tiny.network import END, Floats, bag_of
from controller.server.engines.tiny.training import load_weights
from controller.server.prompts import Completion, Prompt

_MODELS_KEPT: Final = 16


class TinySpeaker:
    """Answers in the calling thread, with the weights of the models that were asked last kept in memory."""

    def __init__(self) -> None:
        self._load = lru_cache(maxsize=_MODELS_KEPT)(_load)

    def answer(self, weights: TunedWeights, prompt: Prompt, go_on: Callable[[], None]) -> Completion:
        """The answer; tokens are bytes here. ``go_on`` is called before each byte."""
        drawn, finished = draw_all(self._load(weights), prompt, go_on)
        return Completion(drawn.decode(errors="replace"), finished, len(prompt.text.encode()), len(drawn))

    def close(self) -> None:
        """Forgets the weights."""
        self._load.cache_clear()


def _load(weights: TunedWeights) -> Floats:
    return load_weights((weights.folder / WEIGHTS_FILE).read_bytes())


def draw_all(weights: Floats, prompt: Prompt, go_on: Callable[[], None]) -> tuple[bytes, bool]:
    """The answer, and whether it ended by itself."""
    source = prompt.text.encode()[-TINY.input_tokens :]
    output = network.Continuation(network.unpack(weights), source, bag_of(source.decode(errors="ignore")))
    chance = chance_for(source, prompt.seed)
    stops = [stop.encode() for stop in prompt.stops]
    drawn = b""
    while len(drawn) < prompt.limit:
        go_on()
        token = draw(output.scores()[: END + 1], prompt.sampling, chance)
        if token >= END - 1:  # START never follows anything it was trained on; it ends the answer like END
            return drawn, True
        drawn += bytes([token])
        stop = next((stop for stop in stops if drawn.endswith(stop)), None)
        if stop is not None:
            return drawn[: -len(stop)], True
        if len(drawn) < prompt.limit:
            output.append(token)
    return drawn, False

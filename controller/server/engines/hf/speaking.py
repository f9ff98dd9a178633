"""Questions on stdin, answers on stdout, a JSON object a line: the process that holds one base model and its adapters.

Several answers grow side by side, a token of each in turn, so that a long one keeps no other waiting. The model is
loaded with the first question; rows are checked with the tokenizer alone.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TextIO

from controller.server.engines.drawing import chance_for, draw
from controller.server.engines.hf.quiet import be_quiet
from controller.server.models import SamplingDefaults

IDLE: Final = 600.0  # seconds without a question after which the memory is given back
_ADAPTERS_KEPT: Final = 8


class Gone(Exception):
    """The adapter is not there any more."""


class Adapters:
    """The base model with the adapters that were asked last."""

    def __init__(self, path: Path) -> None:
        from controller.server.engines.hf import weights  # noqa: PLC0415 -- torch, which a check of rows does without

        self._weights = weights
        self._base = weights.load_base(path)
        self._model: Any = None
        self._kept: OrderedDict[str, None] = OrderedDict()

    def load(self, key: str, folder: str) -> None:
        """Has an adapter ready. Raises `Gone`."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return
        if not Path(folder).is_dir():
            raise Gone
        if self._model is None:
            self._model = self._weights.kept_adapter(self._base, Path(folder), key).eval()
        else:
            self._model.load_adapter(folder, adapter_name=key)
        self._kept[key] = None

    def forget(self, busy: set[str]) -> None:
        """Drops the adapters that were asked longest ago, but for those that answer now."""
        for key in [key for key in self._kept if key not in busy][: max(0, len(self._kept) - _ADAPTERS_KEPT)]:
            self._model.delete_adapter(key)
            del self._kept[key]

    def scores(self, key: str, tokens: list[int], past: Any) -> tuple[Any, Any]:  # noqa: ANN401 -- torch's own
        """How likely each token follows, and what was computed for those before it."""
        self._model.set_adapter(key)
        return self._weights.next_scores(self._model, tokens, past)


@dataclass
class Growing:
    """An answer that grows."""

    asked: dict[str, Any]
    prompt: list[int]
    sampling: SamplingDefaults
    chance: Any
    past: Any = None
    drawn: list[int] = field(default_factory=list)

    def advance(self, adapters: Adapters, chat: Any) -> dict[str, Any] | None:  # noqa: ANN401 -- imported late
        """One more token; the answer, where it has ended."""
        tokens = self.drawn[-1:] or self.prompt
        scores, self.past = adapters.scores(self.asked["key"], tokens, self.past)
        token = draw(scores, self.sampling, self.chance)
        if token in chat.ends:
            return self._reply(chat.text(self.drawn), finished=True)
        self.drawn.append(token)
        text = chat.text(self.drawn)
        cut = min((text.find(stop) for stop in self.asked["stops"] if stop in text), default=-1)
        if cut >= 0:
            return self._reply(text[:cut], finished=True)
        return self._reply(text, finished=False) if len(self.drawn) >= self.asked["limit"] else None

    def _reply(self, text: str, *, finished: bool) -> dict[str, Any]:
        return {"text": text, "finished": finished, "promptTokens": len(self.prompt), "tokens": len(self.drawn)}


class Speaking:
    """The process: what is asked, what grows, and what was answered."""

    def __init__(self, settings: dict[str, Any], out: TextIO) -> None:
        self._path, self._out = Path(settings["path"]), out
        from controller.server.engines.hf.chat import Chat  # noqa: PLC0415 -- after `be_quiet`

        self._chat = Chat(self._path, settings["maxLength"])
        self._adapters: Adapters | None = None
        self._growing: dict[int, Growing] = {}

    def run(self, asked: queue.Queue[dict[str, Any] | None]) -> None:
        """Answers until the end of the questions, or until nobody has asked for long."""
        while True:
            try:
                request = asked.get(timeout=0 if self._growing else IDLE)
            except queue.Empty:
                if not self._growing:
                    return
            else:
                if request is None:
                    return
                self._take(request)
                continue  # all that was asked meanwhile, before the next token
            for number, one in tuple(self._growing.items()):
                self._advance(number, one)

    def _take(self, request: dict[str, Any]) -> None:
        try:
            match request["do"]:
                case "check":
                    self._reply(request["id"], {"faults": self._faults(request["rows"])})
                case "answer":
                    self._growing[request["id"]] = self._begin(request)
                case _:
                    self._growing.pop(request["id"], None)
        except Gone:
            self._reply(request["id"], {"error": "gone"})
        except Exception as fault:  # noqa: BLE001 -- one question must not end the answers to the others
            self._reply(request["id"], {"error": "unfit", "why": type(fault).__name__})

    def _faults(self, rows: list[list[str]]) -> list[list[Any]]:
        checked = ((i, self._chat.why_not(text, output)) for i, (text, output) in enumerate(rows))
        return [[i, *fault] for i, fault in checked if fault]

    def _begin(self, request: dict[str, Any]) -> Growing:
        if self._adapters is None:
            self._adapters = Adapters(self._path)
        self._adapters.load(request["key"], request["folder"])
        self._adapters.forget({one.asked["key"] for one in self._growing.values()} | {request["key"]})
        turns = [(role, text) for role, text in request["turns"]]
        prompt = self._chat.prompt(turns, request["system"])
        sampling = SamplingDefaults(request["temperature"], request["topP"], request["topK"])
        return Growing(request, prompt, sampling, chance_for(json.dumps(turns).encode(), request["seed"]))

    def _advance(self, number: int, one: Growing) -> None:
        assert self._adapters is not None  # noqa: S101 -- what grows has begun
        try:
            reply = one.advance(self._adapters, self._chat)
        except Exception as fault:  # noqa: BLE001 -- as above
            reply = {"error": "unfit", "why": type(fault).__name__}
        if reply is not None:
            del self._growing[number]
            self._reply(number, reply)

    def _reply(self, number: int, reply: dict[str, Any]) -> None:
        self._out.write(json.dumps({"id": number, **reply}) + "\n")
        self._out.flush()


def main() -> int:
    """Entry point of the process: its one argument is what the engine knows of the base model, as JSON."""
    be_quiet()
    with os.fdopen(os.dup(1), "w") as out:
        os.dup2(2, 1)  # whatever a library prints is no answer
        asked: queue.Queue[dict[str, Any] | None] = queue.Queue()
        threading.Thread(target=_listen, args=(asked,), daemon=True).start()
        Speaking(json.loads(sys.argv[1]), out).run(asked)
    return 0


def _listen(asked: queue.Queue[dict[str, Any] | None]) -> None:
    with os.fdopen(os.dup(0), "rb") as lines:
        for line in lines:
            asked.put(json.loads(line))
    asked.put(None)  # the server has gone


if __name__ == "__main__":
    sys.exit(main())

"""Conversations in, tokens out, by one base model's own template: the one way for training and for answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from transformers import AutoConfig, AutoTokenizer

_LONGEST: Final = 2048  # tokens, where the base's entry names no other limit: what a machine without a GPU can hold


@dataclass(frozen=True, slots=True)
class EncodedExample:
    """The tokens that are read and those that are learned, the end mark among them."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]

    def __len__(self) -> int:
        """All tokens of the conversation."""
        return len(self.prompt) + len(self.answer)


class Chat:
    """The tokenizer and the template of one base model."""

    def __init__(self, path: Path, max_length: int | None) -> None:
        self._tokenizer: Any = AutoTokenizer.from_pretrained(path, local_files_only=True)
        config = AutoConfig.from_pretrained(path, local_files_only=True)
        allowed = getattr(config, "max_position_embeddings", None) or _LONGEST
        self.max_length = min(allowed, max_length or _LONGEST)
        self.ends = self._end_tokens(config)
        self._special = [token for token in self._tokenizer.all_special_tokens if token]

    def _end_tokens(self, config: Any) -> frozenset[int]:  # noqa: ANN401 -- transformers has no types
        told = [self._tokenizer.eos_token_id, getattr(config, "eos_token_id", None)]
        flat = [one for each in told for one in (each if isinstance(each, list) else [each])]
        return frozenset(one for one in flat if one is not None)

    def prompt(self, turns: Sequence[tuple[str, str]], system: str = "") -> list[int]:
        """The tokens of a question: turns of ``user`` and ``model``, the last of ``user``."""
        return self._tokens(self._render(turns, system, ask=True))

    def example(self, text: str, output: str, system: str = "") -> EncodedExample:
        """A row as it is learned: the answer ends with the mark that ends a turn."""
        asked = self._render([("user", text)], system, ask=True)
        whole = self._render([("user", text), ("model", output)], system, ask=False)
        answer = self._tokens(whole.removeprefix(asked) if whole.startswith(asked) else output)
        end = next((i for i, token in enumerate(answer) if token in self.ends), len(answer))
        return EncodedExample(tuple(self._tokens(asked)), (*answer[:end], self._tokenizer.eos_token_id))

    def why_not(self, text: str, output: str) -> tuple[str, str] | None:
        """The field of a row that cannot be learned, and why; None where both can."""
        for field, value in (("textInput", text), ("output", output)):
            mark = next((token for token in self._special if token in value), None)
            if mark is not None:
                return field, f"holds {mark}, which to this base model is no text but a mark of its own"
        size = len(self.example(text, output))
        if size > self.max_length:
            return "textInput", f"has {size} tokens with its output; this base model learns {self.max_length} at most"
        return None

    def text(self, tokens: Sequence[int]) -> str:
        """What the tokens say."""
        decoded: str = self._tokenizer.decode(list(tokens), skip_special_tokens=True)
        return decoded

    def _tokens(self, text: str) -> list[int]:
        encoded: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return encoded

    def _render(self, turns: Sequence[tuple[str, str]], system: str, *, ask: bool) -> str:
        if not self._tokenizer.chat_template:
            return "\n".join([*([system] if system else []), *(text for _, text in turns)]) + ("\n" if ask else "")
        roles = {"user": "user", "model": "assistant"}
        messages = [{"role": roles[role], "content": text} for role, text in turns]
        if system:
            messages.insert(0, {"role": "system", "content": system})
        written: str = self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=ask)
        return written

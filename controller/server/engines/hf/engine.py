"""Base models of the Hugging Face format to the server: what they are, what is missing, who trains and who answers."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from controller.server.engines.hf.found import BaseEntry, config_of, digest_of, fetched, note, parameters_of
from controller.server.engines.hf.speaker import HfSpeaker
from controller.server.engines.port import BaseFacts, RowFault, Speaker, TrainingCommand
from controller.server.models import SamplingDefaults, TrainingExample, TunableModel

NAME: Final = "hf"
_PACKAGES: Final = ("torch", "transformers", "peft", "safetensors")
_LONGEST_ANSWER: Final = 512  # tokens, where a request names no other limit


class HfEngine:
    """The base models that were fetched or named."""

    name = NAME

    def __init__(self, folder: Path, named: Sequence[BaseEntry]) -> None:
        """``folder`` holds what was fetched, and is looked into at every question: one more needs no restart.

        ``named`` are those of a file, which go before what was fetched.
        """
        self._folder, self._named = folder, tuple(named)
        self._digests = folder / "digests.json"  # so that weights are read once
        self._speakers: dict[str, HfSpeaker] = {}
        self._turn = threading.Lock()

    def bases(self) -> Sequence[TunableModel]:
        """All of them, also those whose folder is not there."""
        return [self._base(entry) for entry in self._entries().values()]

    def _entries(self) -> dict[str, BaseEntry]:
        return {entry.name: entry for entry in (*fetched(self._folder), *self._named)}

    def _base(self, entry: BaseEntry) -> TunableModel:
        allowed = config_of(entry.path).get("max_position_embeddings") or 2048
        return TunableModel(
            name=entry.name,
            engine=NAME,
            digest=self._digest(entry),
            display_name=entry.name.removeprefix("models/"),
            description="A causal language model, tuned with LoRA.",
            # What a small model learned short texts with; an answer's few tokens need more than a text's many.
            epoch_count=2,
            batch_size=8,
            learning_rate=0.001,
            sampling=SamplingDefaults(temperature=0.0, top_p=0.95, top_k=40),
            input_tokens=min(allowed, entry.max_length or 2048),
            output_tokens=_LONGEST_ANSWER,
            conversations=True,
        )

    def _digest(self, entry: BaseEntry) -> str:
        try:
            return digest_of(entry.path, self._digests)
        except OSError:
            return ""

    def why_not(self, base: TunableModel) -> str:
        """Packages, the folder, or the digest it should have."""
        entry = self._entries()[base.name]
        missing = [package for package in _PACKAGES if find_spec(package) is None]
        if missing:
            return f"{', '.join(missing)} missing on the server: pip install 'gitune[hf]'."
        if not config_of(entry.path) or not any(entry.path.glob("*.safetensors")):
            return f"{entry.path} holds no config.json with weights in *.safetensors."
        if entry.digest is not None and entry.digest != base.digest:
            return f"{entry.path} has {base.digest}, not the digest it was named with, {entry.digest}."
        if entry.needs.nodes > 1 or entry.needs.gpus > 1:
            return "several GPUs or machines for one run are not built yet."
        return ""

    def facts(self, base: TunableModel) -> BaseFacts:
        """By the headers of its weights, and by the note beside them."""
        path = self._entries()[base.name].path
        return BaseFacts(parameters_of(path), note(path).get("licence"), str(path))

    def check(self, base: TunableModel, rows: Sequence[TrainingExample]) -> Sequence[RowFault]:
        """Rows that are too long, or hold what only the template may write."""
        return self._speaker(base).check(rows)

    def settings(self, base: TunableModel) -> dict[str, Any]:
        """The folder, and what the adapter is like."""
        return self._entries()[base.name].settings()

    def trainer(self, base: TunableModel) -> TrainingCommand:
        """One process with all cores, or on one GPU."""
        needs = self._entries()[base.name].needs
        return TrainingCommand(("-m", "controller.server.trainer"), needs if needs.gpus else replace(needs, cores=0))

    def speaker(self, base: TunableModel) -> Speaker:
        """A process of its own, which checks rows as well."""
        return self._speaker(base)

    def _speaker(self, base: TunableModel) -> HfSpeaker:
        with self._turn:
            if base.name not in self._speakers:
                self._speakers[base.name] = HfSpeaker(self.settings(base))
            return self._speakers[base.name]

    def close(self) -> None:
        """Ends the processes."""
        for speaker in self._speakers.values():
            speaker.close()

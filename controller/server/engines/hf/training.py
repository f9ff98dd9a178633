"""A run's rows in, its steps out: a LoRA adapter trained on the answers' tokens alone.

A step is a function of the state before it and of its number: the order of the rows and the chance of dropout are drawn
from the run's seed and the number, so what has to be kept between steps is the adapter and the optimizer.
"""

from __future__ import annotations

import inspect
import io
import json
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from peft import get_peft_model_state_dict, set_peft_model_state_dict

from controller.server.engines.hf.chat import Chat, EncodedExample
from controller.server.engines.hf.weights import device, fresh_adapter, kept_adapter, load_base
from controller.server.engines.port import WeightsUnfit
from controller.server.engines.schedule import rate_at
from controller.server.models import TrainingExample
from controller.server.run_folder import RunDescription, write_synced

_STATE_FILE: Final = "state.pt"
_CLIP: Final = 1.0
_IGNORED: Final = -100  # the label of a token that is not learned
# Padded tokens of the rows that go through the model at once: what a step takes of memory does not grow with its batch.
_AT_ONCE: Final = {"cpu": 2048, "cuda": 32768}


class HfLearner:
    """The run of a folder, to its training process."""

    checkpoint_every = 10.0

    def __init__(self, asked: RunDescription, rows: tuple[TrainingExample, ...], source: Path | None) -> None:
        self._asked = asked
        path = Path(asked.settings["path"])
        chat = Chat(path, asked.settings["maxLength"])
        self._rows = [chat.example(row.text_input, row.output) for row in rows]
        base = load_base(path)
        seed = asked.seed
        self._model = (
            fresh_adapter(base, asked.settings["lora"], seed)
            if source is None
            else kept_adapter(base, source, trained_on=True)
        )
        self._model.train()
        self._learned = [weight for weight in self._model.parameters() if weight.requires_grad]
        self._optimizer = torch.optim.AdamW(self._learned, lr=0.0, weight_decay=0.0)
        self._keeps_logits = "logits_to_keep" in inspect.signature(base.forward).parameters
        self._step = 0
        self._order = lru_cache(maxsize=2)(self._shuffle)

    def resume(self, checkpoint: Path | None) -> None:
        """From the checkpoint; before the first step nothing has to be read."""
        if checkpoint is None:
            return
        state = torch.load(io.BytesIO((checkpoint / _STATE_FILE).read_bytes()), weights_only=True)
        found = set_peft_model_state_dict(self._model, state["adapter"])
        if found.unexpected_keys:
            raise WeightsUnfit("The checkpoint is of another adapter than the one that this run trains.")
        self._optimizer.load_state_dict(state["optimizer"])
        self._step = state["step"]

    def advance(self) -> float:
        """One step of the optimizer, over as many passes as its rows need."""
        step = self._step + 1
        torch.manual_seed((self._asked.seed + step) % 2**63)
        rows = self._batch(step)
        learned = sum(len(row.answer) for row in rows)
        loss = 0.0
        for part in _parts(rows, _AT_ONCE[device()]):
            share = self._loss(part) / learned
            share.backward()
            loss += float(share.detach())
        if not np.isfinite(loss):
            raise FloatingPointError(f"the loss is no longer a number at step {step}; a lower learning rate helps.")
        torch.nn.utils.clip_grad_norm_(self._learned, _CLIP)
        for group in self._optimizer.param_groups:
            group["lr"] = rate_at(step, self._asked.steps, self._asked.hyperparameters.learning_rate)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._step = step
        return loss

    def save(self, folder: Path) -> None:
        """Adapter and optimizer as one file."""
        file = io.BytesIO()
        state = {
            "step": self._step,
            "adapter": get_peft_model_state_dict(self._model),
            "optimizer": self._optimizer.state_dict(),
        }
        torch.save(state, file)
        write_synced(folder / _STATE_FILE, file.getvalue())

    def finish(self, folder: Path) -> None:
        """The adapter as peft reads it. It names the base model as it is served, which is what vLLM looks for."""
        self._model.save_pretrained(folder, safe_serialization=True)
        (folder / "README.md").unlink(missing_ok=True)  # a form to be filled in
        config = folder / "adapter_config.json"
        written = json.loads(config.read_bytes()) | {"base_model_name_or_path": self._asked.base}
        write_synced(config, json.dumps(written, indent=1).encode())
        for file in folder.iterdir():
            _sync(file)

    def _loss(self, rows: Sequence[EncodedExample]) -> Any:  # noqa: ANN401 -- torch has none of ours
        """The sum of the losses of all learned tokens. Rows are padded on the left, so answers end in one column."""
        width, tail = max(map(len, rows)), max(len(row.answer) for row in rows)
        tokens, shown, labels = (np.zeros((len(rows), width), np.int64) for _ in range(3))
        labels[:] = _IGNORED
        for i, row in enumerate(rows):
            tokens[i, width - len(row) :] = row.prompt + row.answer
            shown[i, width - len(row) :] = 1
            labels[i, width - len(row.answer) :] = row.answer
        places = np.maximum(shown.cumsum(axis=1) - 1, 0)
        kept = {"logits_to_keep": tail + 1} if self._keeps_logits else {}
        logits = self._model(
            input_ids=_tensor(tokens), attention_mask=_tensor(shown), position_ids=_tensor(places), **kept
        ).logits[:, -tail - 1 : -1]
        flat = logits.float().reshape(-1, logits.shape[-1])
        return torch.nn.functional.cross_entropy(
            flat, _tensor(labels[:, -tail:]).reshape(-1), ignore_index=_IGNORED, reduction="sum"
        )

    def _batch(self, step: int) -> list[EncodedExample]:
        """The rows of a step: the next ones of the shuffled epochs laid end to end."""
        asked, count = self._asked.hyperparameters, len(self._rows)
        size = asked.batch_size
        places = range((step - 1) * size, min(step * size, count * asked.epoch_count))
        return [self._rows[self._order(place // count)[place % count]] for place in places]

    def _shuffle(self, epoch: int) -> list[int]:
        order: list[int] = np.random.default_rng([self._asked.seed, epoch]).permutation(len(self._rows)).tolist()
        return order


def _parts(rows: Sequence[EncodedExample], at_once: int) -> Iterator[list[EncodedExample]]:
    """The rows of a step in groups of like length, each small enough for one pass."""
    part: list[EncodedExample] = []
    for row in sorted(rows, key=len):
        if part and len(row) * (len(part) + 1) > at_once:
            yield part
            part = []
        part.append(row)
    yield part


def _tensor(array: np.ndarray[Any, Any]) -> Any:  # noqa: ANN401 -- as above
    return torch.from_numpy(array).to(device())


def _sync(file: Path) -> None:
    handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""A base model's folder and a LoRA adapter in, the model on its device out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM


def device() -> str:
    """Where the model is kept."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def load_base(path: Path) -> Any:  # noqa: ANN401 -- transformers has no types
    """The base model: bf16 on a GPU, fp32 on the CPU."""
    kind = torch.bfloat16 if device() == "cuda" else torch.float32
    return AutoModelForCausalLM.from_pretrained(path, dtype=kind, local_files_only=True).to(device())


def fresh_adapter(base: Any, lora: Mapping[str, Any], seed: int) -> Any:  # noqa: ANN401 -- as above
    """The base with a new adapter, drawn from the seed."""
    torch.manual_seed(seed % 2**63)
    config = LoraConfig(
        r=lora["rank"],
        lora_alpha=lora["alpha"],
        lora_dropout=lora["dropout"],
        target_modules=list(lora["targets"]) or "all-linear",
        task_type="CAUSAL_LM",
    )
    return get_peft_model(base, config)


def kept_adapter(base: Any, folder: Path, name: str = "default", *, trained_on: bool = False) -> Any:  # noqa: ANN401
    """The base with an adapter that was trained before."""
    return PeftModel.from_pretrained(base, folder, adapter_name=name, is_trainable=trained_on)


def next_scores(model: Any, tokens: list[int], past: Any) -> tuple[Any, Any]:  # noqa: ANN401 -- as above
    """The scores of the token that follows, and the keys and values of all so far."""
    with torch.inference_mode():
        given = torch.tensor([tokens], device=device())
        said = model(input_ids=given, past_key_values=past, use_cache=True)
        return said.logits[0, -1].float().cpu().numpy(), said.past_key_values

"""A GGUF file in, a folder of safetensors with tokenizer and template out: the program that converts a fetched model.

A process of its own, so that whoever fetches a model need not load torch.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from controller.server.engines.hf.quiet import be_quiet


def main() -> int:
    """Entry point of the process; what it learns of the model goes to stdout as JSON."""
    arguments = argparse.ArgumentParser(prog="controller.server.engines.hf.conversion")
    arguments.add_argument("file", type=Path)
    arguments.add_argument("folder", type=Path)
    asked = arguments.parse_args()
    be_quiet()
    convert(asked.file, asked.folder)
    sys.stdout.write(json.dumps({"licence": licence_of(asked.file)}))
    return 0


def convert(file: Path, folder: Path) -> None:
    """Writes model and tokenizer, in fp32: the file holds fewer bits, and no more are made up."""
    import torch  # noqa: PLC0415 -- after `be_quiet`
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415 -- as above

    model: Any = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    # transformers would refuse to save it as what it was.
    model.hf_quantizer, model.is_quantized = None, False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(folder, safe_serialization=True)
    AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).save_pretrained(folder)


def licence_of(file: Path) -> str | None:
    """What the file says of its licence."""
    from gguf import GGUFReader  # noqa: PLC0415 -- as above

    field = GGUFReader(file).fields.get("general.license")
    return None if field is None else str(field.contents())


if __name__ == "__main__":
    sys.exit(main())

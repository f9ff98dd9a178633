"""Folders of causal models in, what is known of them without loading one out: names, digests, sizes, licences."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from math import prod
from pathlib import Path
from typing import Any, Final

from controller.server.runners.port import Needs

NOTE: Final = "gitune.json"  # beside the weights of a base that was fetched: what it is called, its licence
# All that decides which tokens come out of which: weights, tokenizer, chat template, and how they are put together.
_DECIDING: Final = (
    "*.safetensors",
    "*.safetensors.index.json",
    "config.json",
    "generation_config.json",
    "tokenizer*",
    "vocab*",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
)


@dataclass(frozen=True, slots=True)
class LoraSettings:
    """The adapter that is trained: defaults of a base model, each of which a run may set for itself."""

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    targets: tuple[str, ...] = ()
    """Names of the layers; none is all linear layers but the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseEntry:
    """A base model as somebody has named it: a folder, and how it is tuned where a request says nothing."""

    name: str
    path: Path
    lora: LoraSettings = field(default_factory=LoraSettings)
    max_length: int | None = None
    """Tokens of a whole conversation; None is what the model allows, 2048 at most."""
    needs: Needs = field(default_factory=Needs)
    digest: str | None = None
    """The digest it must have; None takes what is there."""

    def settings(self) -> dict[str, Any]:
        """What the trainer and the speaker are told of it, as JSON."""
        return {"path": str(self.path), "lora": asdict(self.lora), "maxLength": self.max_length}


def fetched(folder: Path) -> Sequence[BaseEntry]:
    """The base models in a folder of those that were fetched; what has no note there is still being made."""
    if not folder.is_dir():
        return ()
    noted = [(path, note(path)) for path in sorted(folder.iterdir()) if not path.name.endswith(".aside")]
    return [BaseEntry(name=kept["name"], path=path, digest=kept["digest"]) for path, kept in noted if kept]


def note(path: Path) -> dict[str, Any]:
    """What was noted beside the weights; nothing where nothing was, or where it cannot be read."""
    with suppress(OSError, ValueError):
        kept: dict[str, Any] = json.loads((path / NOTE).read_bytes())
        return kept
    return {}


def digest_of(path: Path, seen: Path) -> str:
    """SHA-256 over the deciding files of a base model. ``seen`` keeps digests by the files' sizes and times.

    Raises `OSError`.
    """
    files = sorted({file for pattern in _DECIDING for file in path.glob(pattern)})
    marks = [(file.name, stat.st_size, stat.st_mtime_ns) for file in files for stat in [file.stat()]]
    key = hashlib.sha256(json.dumps([str(path), marks]).encode()).hexdigest()
    kept = _read(seen)
    if key not in kept:
        whole = hashlib.sha256()
        for file in files:
            with file.open("rb") as opened:
                whole.update(f"{file.name} {hashlib.file_digest(opened, 'sha256').hexdigest()}\n".encode())
        kept[key] = f"sha256:{whole.hexdigest()}"
        with suppress(OSError):  # a cache: without it the files are read once more
            seen.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            seen.write_text(json.dumps(kept))
    return kept[key]


def _read(seen: Path) -> dict[str, str]:
    with suppress(OSError, ValueError):
        kept: dict[str, str] = json.loads(seen.read_text())
        return kept
    return {}


def parameters_of(path: Path) -> int | None:
    """How many weights the files of a model hold, by their headers; None where they cannot be read."""
    total = 0
    try:
        for file in path.glob("*.safetensors"):
            with file.open("rb") as opened:
                (length,) = struct.unpack("<Q", opened.read(8))
                header: Mapping[str, Any] = json.loads(opened.read(length))
            total += sum(prod(part["shape"]) for name, part in header.items() if name != "__metadata__")
    except (OSError, ValueError, KeyError, struct.error):
        return None
    return total or None


def config_of(path: Path) -> dict[str, Any]:
    """config.json of a model; empty where there is none that can be read."""
    with suppress(OSError, ValueError):
        read: dict[str, Any] = json.loads((path / "config.json").read_bytes())
        return read
    return {}

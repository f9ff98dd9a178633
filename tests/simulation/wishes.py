"""What a scripted user asks for, as values, and the spec files and rows that say it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache

ROWS = 20
CANARY = "row-canary-7f3a"  # in every dataset row: it must never come out anywhere


@dataclass(frozen=True, slots=True, order=True)
class Inputs:
    """All that determines a run's weights, as the server receives it."""

    base: str
    epochs: int | None
    batch: int | None
    rows: str


@dataclass(frozen=True, slots=True)
class Wish:
    """One spec. ``lineage`` stays the same through renames; ``file`` is where it stands."""

    name: str
    lineage: str
    epochs: int = 2
    rows: int = 0
    attempt: int = 1
    display: str = ""
    description: str = ""
    suspend: bool = False
    finish: bool = False
    delete: bool = False
    limit: str = ""
    former: tuple[str, ...] = ()
    file: str = ""

    @property
    def inputs(self) -> Inputs:
        """What its run is made from."""
        return Inputs("models/tiny", self.epochs, None, rows_key(self.rows))

    @property
    def path(self) -> str:
        """Where its file is."""
        return f"specs/{self.file or self.name}.yaml"


@lru_cache(maxsize=4096)
def spec_bytes(wish: Wish) -> bytes:
    """The YAML of a wish."""
    former = f", formerNames: [{', '.join(wish.former)}]" if wish.former else ""
    lines = [
        "apiVersion: gitune.dev/v1alpha1",
        "kind: TunedModel",
        f"metadata: {{name: {wish.name}{former}}}",
        "spec:",
        "  baseModel: models/tiny",
        f"  dataset: {{path: {'../' * wish.file.count('/')}rows-{wish.rows}.jsonl}}",
        f"  hyperparameters: {{epochCount: {wish.epochs}}}",
        f"  attempt: {wish.attempt}",
    ]
    if wish.display:
        lines.append(f"  displayName: {wish.display}")
    if wish.description:
        lines.append(f"  description: {wish.description}")
    if wish.suspend:
        lines.append("  suspend: true")
    if wish.finish:
        lines.append("  whenSuperseded: Finish")
    if wish.delete:
        lines.append("  deletionPolicy: Delete")
    if wish.limit:
        lines.append(f"  limits: {{maxDuration: {wish.limit}}}")
    return ("\n".join(lines) + "\n").encode()


@lru_cache(maxsize=64)
def rows_bytes(variant: int) -> bytes:
    """A dataset of twenty rows."""
    pairs = ({"text_input": f"{CANARY} {variant} {n}", "output": str(n + 1)} for n in range(ROWS))
    return "".join(json.dumps(pair) + "\n" for pair in pairs).encode()


@lru_cache(maxsize=64)
def rows_key(variant: int) -> str:
    """What names a dataset for the oracle: its first input, and how many rows there are."""
    return f"{CANARY} {variant} 0/{ROWS}"


BROKEN = b"apiVersion: gitune.dev/v1alpha1\nkind: TunedModel\nmetadata: {name: "

"""Comparisons to what people and programs read: a table in the terminal, and JSON with all the samples."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benches.measure import Comparison, Measured, Sample

SCHEMA = 1


def lines(comparison: Comparison) -> Iterator[str]:
    """A table: ours, then each of the others with how ours compares to it."""
    yield f"{comparison.bench}: {comparison.case}, {comparison.size:,}"
    heading = ("", "CPU s", "least", "most", "wall s", "MB", "ms each", "ours to it")
    yield f"  {heading[0]:24}" + "".join(f"{word:>11}" for word in heading[1:])
    for one in comparison.measured:
        low, high = one.spread
        each = one.cpu / one.items * 1000
        ratio = "" if one is comparison.measured[0] else f"{comparison.ratio(one):.2f}"
        yield (
            f"  {one.name:24}{one.cpu:11.3f}{low:11.3f}{high:11.3f}{one.wall:11.2f}{one.memory:11.0f}"
            f"{each:11.3f}{ratio:>11}"
        )
    for what, figure in comparison.counts.items():
        yield f"  {what}: {figure:g}"


def machine() -> dict[str, Any]:
    """What the figures were taken on, and of which commit."""
    here = Path(__file__).parent
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=here, capture_output=True, text=True, check=False
    )
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "commit": said.stdout.strip(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": models[0].partition(": ")[2] if models else platform.machine(),
        "cores": len(models),
    }


def written(comparisons: Iterable[Comparison]) -> dict[str, Any]:
    """All of it, samples included."""
    return {"schemaVersion": SCHEMA, "machine": machine(), "comparisons": [asdict(one) for one in comparisons]}


def read(document: Mapping[str, Any]) -> tuple[Comparison, ...]:
    """What `written` wrote."""
    return tuple(_comparison(one) for one in document["comparisons"])


def _comparison(said: Mapping[str, Any]) -> Comparison:
    measured = tuple(
        Measured(one["name"], one["items"], tuple(Sample(**sample) for sample in one["samples"]))
        for one in said["measured"]
    )
    return Comparison(said["bench"], said["case"], said["size"], measured, said["counts"])

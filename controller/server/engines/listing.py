"""A folder of fetched bases and named ones in, what is known of each base model out, for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.server.engines.bases import Bases
from controller.server.engines.hf.found import BaseEntry
from controller.server.engines.opening import open_engines


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedBase:
    """One base model. ``reason`` says why it is not tunable; empty where it is."""

    name: str
    engine: str
    parameters: int | None
    digest: str
    licence: str | None
    path: str | None
    reason: str


def list_bases(fetched: Path, named: Sequence[BaseEntry] = ()) -> list[ListedBase]:
    """All that a server would offer. No library that trains is loaded."""
    bases = Bases(open_engines(fetched, named))
    found = []
    for base in bases:
        engine = bases.engine(base)
        known = engine.facts(base)
        found.append(
            ListedBase(
                name=base.name,
                engine=base.engine,
                parameters=known.parameters,
                digest=base.digest,
                licence=known.licence,
                path=known.path,
                reason=engine.why_not(base),
            )
        )
    return found

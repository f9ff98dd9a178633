"""What a provider type can do, known offline."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider can do.

    ``inline_bytes`` caps the examples of one create as JSON, ``output_bytes`` each output as UTF-8 (None: no cap).
    ``model_prefix`` and our id make a full name. ``free`` providers may be applied to from a working tree.
    """

    chooses_id: bool = True
    can_cancel: bool = True
    can_delete: bool = True
    updates: frozenset[str] = frozenset({"displayName", "description", "temperature", "topP", "topK"})
    inline_bytes: int | None = 4_000_000
    output_bytes: int | None = None
    model_prefix: str = "tunedModels/"
    free: bool = False

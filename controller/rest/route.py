"""A path and an answer's headers to what may be told of a request: its route without any name, and its id."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

# The words that APIs put into paths. Whatever is not among them may be a name, or as good as a password.
_API: Final = ("v1", "v1beta", "v1beta1", "projects", "locations", "publishers", "endpoints")
_KINDS: Final = ("models", "tunedModels", "tuningJobs", "operations", "permissions", "files", "jobs", "batches")
_VERBS: Final = ("generateContent", "cancel", "fine-tunes")
_WORDS: Final = frozenset({*_API, *_KINDS, *_VERBS})
_IDS: Final = ("x-request-id", "x-goog-request-id", "x-github-request-id")
_ID: Final = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


def route_of(path: str) -> str:
    """``/v1beta/tunedModels/triage-1:generateContent`` to ``/v1beta/tunedModels/{id}:generateContent``."""
    return "/".join(_part(part) for part in path.split("/"))


def _part(part: str) -> str:
    if not part or part in _WORDS:
        return part
    _, colon, verb = part.partition(":")
    return "{id}" + (f":{verb}" if colon and verb in _WORDS else "")


def request_id(headers: Mapping[str, str]) -> str:
    """What the other side calls the request in its own log; "" where it does not say, or says something odd."""
    return next((found for name in _IDS if _ID.fullmatch(found := headers.get(name, ""))), "")

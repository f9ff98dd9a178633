"""A model's inputs to its fingerprint, its remote id and the mark that proves it is ours."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from functools import lru_cache

NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")
FINGERPRINT_VERSION = "gitune-fingerprint/1"
_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)

_MARK = re.compile(
    r"gitune: (?P<instance>[^\s]{1,200})/(?P<name>[a-z][a-z0-9-]{0,39}) "
    r"attempt=(?P<attempt>[1-9][0-9]{0,5}) sha256=(?P<fingerprint>[0-9a-f]{64})"
)
_INCARNATION = re.compile(r"[2-9]|[1-9][0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """As written in a spec or as resolved by a provider; None means not said."""

    epoch_count: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    learning_rate_multiplier: float | None = None


@dataclass(frozen=True, slots=True)
class Training:
    """The training inputs: all that is paid for. ``base`` is ``models/…``, or ``from:<fingerprint>`` of another spec.

    ``dataset_digest`` is SHA-256 (hex) over the examples as sent, in order (`controller.dataset`).
    """

    provider_type: str
    base: str
    hyperparameters: Hyperparameters
    dataset_digest: str


@dataclass(frozen=True, slots=True)
class Mark:
    """The owner mark in a remote description: which controller made this model, for which spec, from which inputs."""

    instance: str
    name: str
    attempt: int
    fingerprint: str

    def line(self) -> str:
        """The mark as the line of its own that a description carries."""
        return f"gitune: {self.instance}/{self.name} attempt={self.attempt} sha256={self.fingerprint}"


@lru_cache(maxsize=1 << 16)  # asked for at every turn of a decision, and a run of inputs does not change
def fingerprint(training: Training) -> str:
    """SHA-256 (64 hex digits) over the training inputs. The algorithm is frozen by golden vectors."""
    given = training.hyperparameters
    inputs = {
        "version": FINGERPRINT_VERSION,
        "providerType": training.provider_type,
        "base": training.base,
        "epochCount": given.epoch_count,
        "batchSize": given.batch_size,
        "learningRate": _number(given.learning_rate),
        "learningRateMultiplier": _number(given.learning_rate_multiplier),
        "examples": training.dataset_digest,
    }
    return hashlib.sha256(_JSON.encode(inputs).encode()).hexdigest()


def _number(value: float | None) -> str | None:
    # Python's repr of a float is the shortest text that reads back as the same double, on every platform.
    return None if value is None else repr(float(value))


@lru_cache(maxsize=1 << 16)
def model_id(name: str, digest: str, attempt: int, length: int, incarnation: int = 1) -> str:
    """``<name, cut>-<10 base32 of the fingerprint>-<attempt>``, at most ``length`` characters.

    From the second incarnation on ``-<incarnation>`` follows.
    """
    tail = f"-{base64.b32encode(bytes.fromhex(digest)).decode().lower()[:10]}-{attempt}"
    if incarnation > 1:
        tail += f"-{incarnation}"
    return name[: length - len(tail)].rstrip("-") + tail


def is_model_id(found: str, name: str, digest: str, attempt: int, length: int) -> bool:
    """Whether that is the id of these inputs under a name, in whatever incarnation."""
    last = found.rpartition("-")[2]
    later = _INCARNATION.fullmatch(last) is not None and found == model_id(name, digest, attempt, length, int(last))
    return later or found == model_id(name, digest, attempt, length)


@lru_cache(maxsize=1 << 15)
def find_mark(description: str) -> Mark | None:
    """The one owner mark in a description; None where there is none, or more than one (then nobody can tell)."""
    found = [m for line in description.splitlines() if (m := _MARK.fullmatch(line.strip()))]
    if len(found) != 1:
        return None
    (match,) = found
    return Mark(match["instance"], match["name"], int(match["attempt"]), match["fingerprint"])


def without_mark(description: str) -> str:
    """The description as people wrote it: every mark line taken out, the ends trimmed."""
    if "gitune: " not in description and description.isprintable():
        return description.strip()  # one line without a mark, as most are
    kept = [line for line in description.splitlines() if not _MARK.fullmatch(line.strip())]
    return "\n".join(kept).strip()


def with_mark(description: str, mark: Mark) -> str:
    """The description's own text, then the mark on a line of its own."""
    text = without_mark(description)
    return f"{text}\n{mark.line()}" if text else mark.line()

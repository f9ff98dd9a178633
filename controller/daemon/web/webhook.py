"""A request that says it is GitHub's to whether it wakes a loop, and which. It never says what is to be done."""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Final

import msgspec

from controller.errors import ControllerError

LARGEST: Final = 1 << 20  # bytes; looked at before any of them is hashed
_WAKES: Final = frozenset({"push", "pull_request"})
_LONGEST_ID: Final = 128
_KEPT_IDS: Final = 4096
_SHORTEST_SECRET: Final = 16
_PER_SECOND: Final = 10.0
_BURST: Final = 60.0


class DeliveryVerdict(Enum):
    """What becomes of a delivery, with its HTTP status."""

    WAKES = 202
    KNOWN = 200  # seen before, or of a kind that nothing here depends on
    MALFORMED = 400
    FORGED = 401
    TOO_LARGE = 413
    TOO_MANY = 429
    NO_SECRET = 503  # there is nothing to compare with


class Deliveries:
    """What was delivered with the right signature, by its id, and how fast."""

    def __init__(self, secret: Callable[[], bytes]) -> None:
        """``secret`` is asked at each delivery, so one that was rotated counts at once and its predecessor no more.

        Where it raises `ControllerError` no delivery is taken.
        """
        self._secret = secret
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._tokens, self._at = _BURST, 0.0

    def admit(self, now: float) -> bool:
        """Whether one more request may be looked at now (monotonic seconds)."""
        self._tokens = min(_BURST, self._tokens + max(0.0, now - self._at) * _PER_SECOND)
        self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def judge(self, headers: Mapping[str, str], body: bytes) -> DeliveryVerdict:
        """The signature is over the raw bytes and compared in constant time; nothing is parsed, before or after."""
        if len(body) > LARGEST:
            return DeliveryVerdict.TOO_LARGE
        try:
            secret = self._secret()
        except ControllerError:
            return DeliveryVerdict.NO_SECRET
        if not _is_signed(secret, headers.get("x-hub-signature-256", ""), body):
            return DeliveryVerdict.FORGED
        delivery, event = headers.get("x-github-delivery", ""), headers.get("x-github-event", "")
        if not delivery or len(delivery) > _LONGEST_ID:
            return DeliveryVerdict.MALFORMED
        if delivery in self._seen:
            return DeliveryVerdict.KNOWN
        self._seen[delivery] = None
        while len(self._seen) > _KEPT_IDS:
            self._seen.popitem(last=False)
        return DeliveryVerdict.WAKES if event in _WAKES else DeliveryVerdict.KNOWN


def _is_signed(secret: bytes, given: str, body: bytes) -> bool:
    wanted = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted.encode(), given.encode("utf-8", "replace"))


class _Named(msgspec.Struct):
    full_name: str = ""


class _Delivery(msgspec.Struct):
    repository: _Named = msgspec.field(default_factory=_Named)


def repository_of(body: bytes) -> str:
    """``owner/name`` of a delivery whose signature was right; "" where it names none, or is not sent as JSON."""
    try:
        return msgspec.json.decode(body, type=_Delivery).repository.full_name
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ""


def read_secret(path: Path) -> bytes:
    """The secret in a file, white space around it taken off. Raises `ControllerError` where it is none."""
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise ControllerError(
            f"the webhook secret in {path} cannot be read: {error.strerror}",
            hint="Without a secret the endpoint is not opened: anybody could send to it.",
        ) from error
    if len(secret) < _SHORTEST_SECRET:
        raise ControllerError(
            f"the webhook secret in {path} has {len(secret)} bytes, fewer than {_SHORTEST_SECRET}",
            hint="Make one with `openssl rand -hex 32`, and give GitHub the same.",
        )
    return secret

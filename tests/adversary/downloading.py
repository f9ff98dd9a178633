"""What fetches from servers on loopback, with secrets that may not be seen, and what came of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from controller.downloads.fetching import DownloadLimits, Fetching
from controller.downloads.kept import Kept
from controller.downloads.sources import data_sources
from controller.downloads.stores import S3, Gcs, HuggingFace, StoreAccess, WebStore
from controller.errors import Unreadable
from controller.rest import Timing
from controller.specs.data_uri import BadUri, parse_data_uri
from controller.system import SystemChance, SystemClock
from tests.downloads.store import Answer, ObjectServer

ROWS = b'{"text_input": "1", "output": "2"}\n' * 30
PIN = hashlib.sha256(ROWS).hexdigest()
SECRET = "canary-of-the-account-0123456789"
MOST = 1 << 20
COMMIT = "c" * 40
LIMITS = DownloadLimits(deadline=4.0, idle=0.4, connect=1.0)
SECRETS: Mapping[str, str] = MappingProxyType(
    {"AWS_ACCESS_KEY_ID": "AKIDCANARY", "AWS_SECRET_ACCESS_KEY": SECRET, "HF_TOKEN": f"hf-{SECRET}"}
)


def fetching(home: Path, listed: str, services: str = "", limits: DownloadLimits = LIMITS) -> Fetching:
    """What fetches by this list; ``services`` is where S3 and the hub answer."""
    sources = data_sources(f"{listed} {services}")
    environ = dict.fromkeys(("AWS_ENDPOINT_URL_S3", "HF_ENDPOINT"), services) if services else {}
    access = StoreAccess(sources, environ, SECRETS)
    clock, chance = SystemClock(), SystemChance()
    web = WebStore(sources)
    return Fetching(
        kept=Kept(home),
        sources=sources,
        stores={
            "http": web,
            "https": web,
            "gs": Gcs(access, None, services or "https://storage.googleapis.com"),
            "s3": S3(access),
            "hf": HuggingFace(access),
        },
        timing=Timing(clock.now, clock.monotonic, clock.sleep, chance.uniform),
        limits=limits,
    )


async def outcome(one: Fetching, text: str, pin: str | None = PIN, most: int = MOST) -> str:
    """The code of the refusal, "" where the file arrived."""
    try:
        await one.fetch(parse_data_uri(text), pin, most)
    except BadUri as error:
        return _told("GT031", error.message + error.hint)
    except Unreadable as error:
        return _told(error.code, error.message + error.hint)
    return ""


def _told(code: str, text: str) -> str:
    assert SECRET not in text
    assert "sig=canary" not in text
    assert all(character.isprintable() for character in text)
    return code


class Everything(ObjectServer):
    """A server on which everything is there that anybody could ask for."""

    def answer(self, path: str, headers: Mapping[str, str]) -> Answer:
        self.asked.append((path, headers))
        return Answer(ROWS)

"""A store on loopback that is on the list, and what fetches from it into a folder of the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from controller.downloads.fetching import DownloadLimits, Fetching
from controller.downloads.kept import Kept
from controller.downloads.sources import data_sources
from controller.downloads.stores import S3, Gcs, HuggingFace, StoreAccess, WebStore
from controller.rest import Credentials, Timing
from controller.testing import FakeClock, SeededChance
from tests.downloads.store import ObjectServer

LIMITS = DownloadLimits(deadline=5.0, idle=1.0, connect=1.0)


@pytest.fixture
def store() -> Iterator[ObjectServer]:
    with ObjectServer().running() as server:
        yield server


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "home" / "data")


@pytest.fixture
def fetching(kept: Kept, store: ObjectServer) -> Callable[..., Fetching]:
    """Makes a `Fetching` whose list holds these words; every store's service is the server on loopback."""

    def make(
        listed: str | None = None,
        secrets: Mapping[str, str] | None = None,
        google: Credentials | None = None,
        environ: Mapping[str, str] = MappingProxyType({}),
        **changes: Any,
    ) -> Fetching:
        words = f"{store.url} s3://bucket gs://bucket hf://" if listed is None else listed
        clock = FakeClock()
        sources = data_sources(words)
        services = dict.fromkeys(("AWS_ENDPOINT_URL_S3", "HF_ENDPOINT"), store.url)
        access = StoreAccess(sources, services | dict(environ), secrets or {})
        made = Fetching(
            kept=kept,
            sources=sources,
            stores={
                "http": WebStore(sources),
                "https": WebStore(sources),
                "gs": Gcs(access, google, store.url),
                "s3": S3(access),
                "hf": HuggingFace(access),
            },
            timing=Timing(clock.now, clock.monotonic, clock.sleep, SeededChance().uniform),
            limits=LIMITS,
        )
        return replace(made, **changes)

    return make

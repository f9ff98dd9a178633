"""An environment and what was said in it to what fetches data."""

from __future__ import annotations

from pathlib import Path

from controller.downloads.fetching import Fetching
from controller.downloads.kept import Kept
from controller.downloads.stores import S3, Gcs, HuggingFace, StoreAccess, WebStore
from controller.rest import Credentials, Timing


def open_fetching(
    home: Path, access: StoreAccess, bucket_account: Credentials | None, timing: Timing, realm: str = ""
) -> Fetching:
    """What fetches the data that is listed, with credentials of these variables, into Gitune's data folder.

    ``bucket_account`` is who reads ``gs://``, None for anybody; ``realm`` names the repository where several share a
    machine.
    """
    web = WebStore(access.sources)
    return Fetching(
        kept=Kept(home / "data"),
        sources=access.sources,
        stores={
            "http": web,
            "https": web,
            "gs": Gcs(access, bucket_account),
            "s3": S3(access),
            "hf": HuggingFace(access),
        },
        timing=timing,
        realm=realm,
    )

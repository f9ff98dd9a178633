"""An environment and what was said in it to what fetches data."""

from __future__ import annotations

from pathlib import Path

from controller.downloads.fetching import Fetching
from controller.downloads.kept import Kept
from controller.downloads.stores import S3, GoogleStorage, HuggingFace, StoreAccess, WebStore
from controller.rest import Credentials, Timing


def open_fetching(
    home: Path, access: StoreAccess, google: Credentials | None, timing: Timing, realm: str = ""
) -> Fetching:
    """What fetches the data that is listed, with credentials of these variables, into Gitune's data folder.

    ``google`` is the account that reads Google's buckets; ``realm`` names the repository where several share a machine.
    """
    web = WebStore(access.sources)
    return Fetching(
        kept=Kept(home / "data"),
        sources=access.sources,
        stores={
            "http": web,
            "https": web,
            "gs": GoogleStorage(access, google),
            "s3": S3(access),
            "hf": HuggingFace(access),
        },
        timing=timing,
        realm=realm,
    )

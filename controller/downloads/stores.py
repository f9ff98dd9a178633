"""A uri to the request that brings it, with the credentials that its store may have, and where that may lead."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import quote, urlsplit

from controller.downloads.aws import HINT as AWS_HINT
from controller.downloads.aws import REGION, region_of, signer
from controller.downloads.sources import DataSources
from controller.errors import Rejected, RejectedKind
from controller.rest import Credentials, checked_endpoint, know
from controller.specs.data_uri import DataUri

GOOGLE_STORAGE: Final = "https://storage.googleapis.com"
HUGGING_FACE: Final = "https://huggingface.co"


@dataclass(frozen=True, slots=True)
class StoreRequest:
    """A GET. ``headers`` hold a token, which goes to the origin of ``url`` alone."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Store(Protocol):
    """What keeps data. ``hint`` says how to get in where it refuses."""

    @property
    def hint(self) -> str:
        """What to do when it refuses."""
        ...

    async def request(self, uri: DataUri, *, fresh: bool) -> StoreRequest:
        """What brings the file of a uri; ``fresh`` asks for new credentials. Raises `ProviderError`."""
        ...

    def leads_to(self, url: str) -> bool:
        """Whether a redirect to this address may be followed."""
        ...

    def advice(self, headers: Mapping[str, str]) -> str:
        """What the headers of a refusal tell to do; "" for nothing."""
        ...


@dataclass(frozen=True, slots=True)
class WebStore:
    """Files at https addresses, which nobody signs in for."""

    sources: DataSources
    hint: str = "No credentials are sent to an https:// address: the file has to be readable without any."

    async def request(self, uri: DataUri, *, fresh: bool) -> StoreRequest:  # noqa: ARG002 - the port's
        """The address itself."""
        return StoreRequest(uri.text)

    def leads_to(self, url: str) -> bool:
        """Whatever is on the list."""
        return self.sources.leads_to(url)

    def advice(self, headers: Mapping[str, str]) -> str:  # noqa: ARG002 - the port's
        """None."""
        return ""


@dataclass(frozen=True, slots=True)
class StoreAccess:
    """What a store may use: ``environ`` names other endpoints, ``secrets`` are the variables with credentials."""

    sources: DataSources
    environ: Mapping[str, str] = field(repr=False)
    secrets: Mapping[str, str] = field(repr=False)

    def endpoint(self, *variables: str) -> str:
        """The endpoint that a variable names, "" where none does. Raises `Rejected` where it is not listed."""
        variable = next((name for name in variables if self.environ.get(name, "").strip()), None)
        if variable is None:
            return ""
        said = self.environ[variable].strip()
        try:
            found = checked_endpoint(said if "://" in said else f"http://{said}")
        except Rejected as error:
            raise Rejected(f"{variable}: {error.message}", kind=error.kind, hint=error.hint) from None
        if not self.sources.has_origin(found):
            raise Rejected(
                f"{variable} names {found}, which is not on the list of where data may be read from",
                kind=RejectedKind.PRECONDITION,
                hint=f"Add {found} to {self.sources.where}, or unset {variable}.",
            )
        return found


@dataclass(frozen=True, slots=True)
class Gcs:
    """Buckets of Google Cloud Storage. ``credentials`` None: they are read as anybody may."""

    access: StoreAccess
    credentials: Credentials | None = None
    endpoint: str = GOOGLE_STORAGE

    @property
    def hint(self) -> str:
        """What to do when it refuses."""
        return (
            "Let GOOGLE_APPLICATION_CREDENTIALS name a credentials file whose account may read the bucket "
            "(Storage Object Viewer)."
            if self.credentials is None
            else f"{self.credentials.name} needs the role Storage Object Viewer on the bucket."
        )

    async def request(self, uri: DataUri, *, fresh: bool) -> StoreRequest:
        """The object, of the JSON API; an emulator is sent no credentials."""
        emulator = self.access.endpoint("STORAGE_EMULATOR_HOST")
        url = (
            f"{emulator or self.endpoint}/storage/v1/b/{quote(uri.bucket, safe='')}/o/{quote(uri.key, safe='')}"
            "?alt=media"
        )
        if self.credentials is None or emulator:
            return StoreRequest(url)
        return StoreRequest(url, await self.credentials.headers(fresh=fresh))

    def leads_to(self, url: str) -> bool:  # noqa: ARG002 - the port's
        """Nowhere: the API answers with the object."""
        return False

    def advice(self, headers: Mapping[str, str]) -> str:  # noqa: ARG002 - the port's
        """None."""
        return ""


@dataclass(frozen=True, slots=True)
class S3:
    """Buckets of S3, or of what speaks like it. Without credentials they are read as anybody may."""

    access: StoreAccess
    hint: str = f"{AWS_HINT} The account needs s3:GetObject."

    async def request(self, uri: DataUri, *, fresh: bool) -> StoreRequest:  # noqa: ARG002 - keys do not renew
        """The object, with the bucket in the path: so no name of a bucket is ever part of a host."""
        own = self.access.endpoint("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
        # In a thread: botocore takes a third of a second to load, and reads files.
        found = await asyncio.to_thread(self._signed, uri, own)
        if isinstance(found, Rejected):
            raise found
        return found

    def _signed(self, uri: DataUri, own: str) -> StoreRequest | Rejected:
        try:
            region, account = region_of(self.access.secrets), signer(self.access.secrets)
        except Rejected as error:
            return error
        endpoint = own or f"https://s3.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"
        url = f"{endpoint}/{uri.bucket}/{quote(uri.key, safe='/~')}"
        return StoreRequest(url, {} if account is None else account.headers(url))

    def leads_to(self, url: str) -> bool:  # noqa: ARG002 - the port's
        """Nowhere: a bucket of another region redirects, and a signature holds for one."""
        return False

    def advice(self, headers: Mapping[str, str]) -> str:
        """The region that the bucket is in, where it is another one."""
        there = headers.get("x-amz-bucket-region", "")
        return f"The bucket is in {there}: set AWS_REGION={there}." if REGION.fullmatch(there) else ""


@dataclass(frozen=True, slots=True)
class HuggingFace:
    """Datasets of the Hugging Face Hub. HF_TOKEN goes to the hub's own origin, never to where it keeps the files."""

    access: StoreAccess
    hint: str = "Set HF_TOKEN to a token that may read the dataset; see that the dataset's terms were accepted."

    async def request(self, uri: DataUri, *, fresh: bool) -> StoreRequest:  # noqa: ARG002 - a token does not renew
        """The file at its commit."""
        token = self.access.secrets.get("HF_TOKEN", "").strip()
        know(token)
        if not token.isascii() or not token.isprintable() or " " in token:
            raise Rejected("HF_TOKEN is not a token", kind=RejectedKind.UNAUTHENTICATED, hint=self.hint)
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return StoreRequest(f"{self._hub}/{uri.bucket}/resolve/{uri.revision}/{uri.quoted}", headers)

    @property
    def _hub(self) -> str:
        return self.access.endpoint("HF_ENDPOINT") or HUGGING_FACE

    def leads_to(self, url: str) -> bool:
        """The hub itself, its hosts for large files, and where another hub stands in for it, what is on the list."""
        hub = self._hub
        if origin_of(url) == hub:
            return True
        if hub != HUGGING_FACE:
            return self.access.sources.leads_to(url)
        origin = origin_of(url)
        return origin.startswith("https://") and origin.endswith((".huggingface.co", ".hf.co"))

    def advice(self, headers: Mapping[str, str]) -> str:  # noqa: ARG002 - the port's
        """None."""
        return ""


def origin_of(url: str) -> str:
    """Scheme, host and port of an address in their one spelling; "" for what is none."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return ""
    if not host or "@" in parts.netloc:
        return ""
    shown = f"[{host}]" if ":" in host else host
    scheme = parts.scheme.lower()
    return f"{scheme}://{shown}" + ("" if port in {None, {"http": 80, "https": 443}.get(scheme)} else f":{port}")

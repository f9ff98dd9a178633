"""A uri to the request that brings it, with the credentials that its store may have, and where that may lead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol
from urllib.parse import quote, urlsplit

from controller.downloads.aws import HINT as AWS_HINT
from controller.downloads.aws import REGION, AwsSigner
from controller.downloads.sources import DataSources
from controller.rest import Credentials, Secret
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
class GoogleStorage:
    """Buckets of Google Cloud Storage. ``credentials`` None: they are read as anybody may."""

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
        """The object, of the JSON API."""
        url = f"{self.endpoint}/storage/v1/b/{quote(uri.bucket, safe='')}/o/{quote(uri.key, safe='')}?alt=media"
        return StoreRequest(url, {} if self.credentials is None else await self.credentials.headers(fresh=fresh))

    def leads_to(self, url: str) -> bool:  # noqa: ARG002 - the port's
        """Nowhere: the API answers with the object."""
        return False

    def advice(self, headers: Mapping[str, str]) -> str:  # noqa: ARG002 - the port's
        """None."""
        return ""


@dataclass(frozen=True, slots=True)
class S3:
    """Buckets of S3, or of what speaks like it at ``endpoint``. ``signer`` None: they are read as anybody may."""

    region: str
    signer: AwsSigner | None = None
    endpoint: str = ""

    @property
    def hint(self) -> str:
        """What to do when it refuses."""
        return AWS_HINT if self.signer is None else f"{self.signer.source} needs s3:GetObject on the object."

    async def request(self, uri: DataUri, *, fresh: bool) -> StoreRequest:  # noqa: ARG002 - keys do not renew
        """The object, with the bucket in the path: so no name of a bucket is ever part of a host."""
        china = ".cn" if self.region.startswith("cn-") else ""
        endpoint = self.endpoint or f"https://s3.{self.region}.amazonaws.com{china}"
        url = f"{endpoint}/{uri.bucket}/{quote(uri.key, safe='/~')}"
        return StoreRequest(url, {} if self.signer is None else self.signer.headers(url))

    def leads_to(self, url: str) -> bool:  # noqa: ARG002 - the port's
        """Nowhere: a bucket of another region redirects, and a signature holds for one."""
        return False

    def advice(self, headers: Mapping[str, str]) -> str:
        """The region that the bucket is in, where it is another one."""
        there = headers.get("x-amz-bucket-region", "")
        return f"The bucket is in {there}: set AWS_REGION={there}." if REGION.fullmatch(there) else ""


@dataclass(frozen=True, slots=True)
class HuggingFace:
    """Datasets of the Hugging Face Hub. ``token`` goes to its own origin, never to where it keeps the files."""

    sources: DataSources
    token: Secret | None = None
    endpoint: str = HUGGING_FACE

    @property
    def hint(self) -> str:
        """What to do when it refuses."""
        return (
            "Set HF_TOKEN to a token that may read the dataset."
            if self.token is None
            else "See that HF_TOKEN may read the dataset, and that its terms were accepted."
        )

    async def request(self, uri: DataUri, *, fresh: bool) -> StoreRequest:  # noqa: ARG002 - a token does not renew
        """The file at its commit."""
        token = {} if self.token is None else {"authorization": f"Bearer {self.token.reveal().strip()}"}
        return StoreRequest(f"{self.endpoint}/{uri.bucket}/resolve/{uri.revision}/{uri.quoted}", token)

    def leads_to(self, url: str) -> bool:
        """The hub itself, its hosts for large files, and where another hub stands in for it, what is on the list."""
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError:
            return False
        if origin_of(url) == self.endpoint:
            return True
        if self.endpoint != HUGGING_FACE:
            return self.sources.leads_to(url)
        own = host.endswith((".huggingface.co", ".hf.co")) or host == "hf.co"
        return parts.scheme == "https" and port in {None, 443} and "@" not in parts.netloc and own

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

"""A dataset's uri, or an entry of the operator's list, as written to its parts in their one spelling."""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from controller.errors import Rejected
from controller.network import is_loopback
from controller.rest import Network, checked_endpoint

LONGEST: Final = 2000  # characters
# What a JSON Schema can say of it.
SCHEMA_PATTERN: Final = (
    r"^(?:https://|http://(?:localhost|127\.[0-9.]{5,11}|\[::1\])[:/]|gs://|s3://|hf://datasets/)[^\s\\?#]{1,1990}$"
)
HINT: Final = (
    "write `https://host/path/rows.jsonl`, `gs://bucket/rows.jsonl`, `s3://bucket/rows.jsonl` or "
    "`hf://datasets/OWNER/NAME@COMMIT/rows.jsonl`"
)


class BadUri(Exception):
    """An address that data is not read from. ``message`` never quotes it: it may hold a password."""

    def __init__(self, message: str, hint: str = HINT) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class DataUri:
    """Where a dataset lies.

    ``root`` is what holds it: an origin (``https://host:8443``), a bucket (``gs://bucket``), or ``hf://datasets/OWNER/NAME``.
    ``parts`` are the path below, decoded, never ``.`` or ``..``. ``revision`` is the commit of ``hf``, "" elsewhere.
    """

    scheme: str
    root: str
    parts: tuple[str, ...]
    revision: str = ""

    @property
    def key(self) -> str:
        """The path below the root, as the store there names it."""
        return "/".join(self.parts)

    @property
    def quoted(self) -> str:
        """The path as a URL writes it."""
        return "/".join(quote(part, safe="~") for part in self.parts)

    @property
    def text(self) -> str:
        """The uri in its one spelling: what is compared, shown, and asked."""
        at = f"@{self.revision}" if self.revision else ""
        return f"{self.root}{at}/{self.quoted if self.scheme in _WEB else self.key}"

    @property
    def bucket(self) -> str:
        """The bucket's name, or ``datasets/OWNER/NAME``."""
        return self.root.partition("://")[2]

    def __str__(self) -> str:
        """As ``text``."""
        return self.text


@dataclass(frozen=True, slots=True)
class DataPin:
    """The file at a uri whose SHA-256 (64 hex digits) is this."""

    uri: DataUri
    sha256: str


_WEB: Final = frozenset({"http", "https"})
_BUCKETS: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType(
    {
        "s3": re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?![.-])){1,61}[a-z0-9]"),
        "gs": re.compile(r"[a-z0-9](?:[a-z0-9_-]|\.(?![.-])){1,220}[a-z0-9]"),
    }
)
_HF_NAME: Final = r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){0,95}"
_HF: Final = re.compile(rf"(datasets/{_HF_NAME}/{_HF_NAME})@([0-9a-f]{{40}})")
_HF_PREFIX: Final = re.compile(rf"(?:datasets(?:/{_HF_NAME}){{0,2}})?")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,20})://(.*)", re.DOTALL)
_NUMBER: Final = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)")
_MOST_PARTS: Final = 64


def parse_data_uri(text: str) -> DataUri:
    """The uri of one file. Raises `BadUri`."""
    scheme, rest = _scheme(text)
    if scheme in _WEB:
        origin, parts = _web(text)
    elif scheme == "hf":
        head = "/".join(rest.split("/")[:3])
        found = _HF.fullmatch(head)
        if found is None:
            raise BadUri(
                "an hf:// address names a dataset at a commit: hf://datasets/OWNER/NAME@COMMIT/path",
                "write the 40 hex digits of the commit: a branch or a tag moves",
            )
        return DataUri("hf", f"hf://{found[1]}", _whole(_plain(rest[len(head) + 1 :])), found[2])
    else:
        origin, parts = _bucket(scheme, rest)
    return DataUri(scheme, origin, _whole(parts))


def parse_entry(text: str) -> DataUri | Network:
    """What an entry of the list lets be read, or the network in which the hosts of other entries may be.

    Raises `BadUri`.
    """
    if "://" in text or "/" not in text:
        return _prefix(text)
    try:
        found = ipaddress.ip_network(text)
    except ValueError:
        raise BadUri("this is neither an address nor a network such as 10.1.0.0/16") from None
    if found.prefixlen < _WIDEST[found.version]:
        raise BadUri("this network is wider than any one organisation's: name the part of it that is meant")
    return found


_WIDEST: Final = MappingProxyType({4: 8, 6: 7})


def _prefix(text: str) -> DataUri:
    """An origin, a bucket, a path below, ``hf://`` or a part of it."""
    scheme, rest = _scheme(text)
    rest = rest.rstrip("/")
    if scheme in _WEB:
        origin, parts = _web(text.rstrip("/"))
        return DataUri(scheme, origin, parts)
    if scheme != "hf":
        origin, parts = _bucket(scheme, rest)
        return DataUri(scheme, origin, parts)
    if not _HF_PREFIX.fullmatch(rest):
        raise BadUri("an hf:// entry is `hf://`, `hf://datasets/OWNER` or `hf://datasets/OWNER/NAME`")
    return DataUri("hf", "hf://" + rest, ())


def covers(prefix: DataUri, uri: DataUri) -> bool:
    """Whether a uri is what the entry names or lies below it, part by part."""
    if prefix.scheme == "hf":
        return uri.scheme == "hf" and f"{uri.root}/".startswith(prefix.root + ("" if prefix.root == "hf://" else "/"))
    return prefix.root == uri.root and uri.parts[: len(prefix.parts)] == prefix.parts


def _scheme(text: str) -> tuple[str, str]:
    if len(text) > LONGEST or any(unicodedata.category(c) in _UNSEEN for c in text):
        raise BadUri(f"the uri is longer than {LONGEST} characters, or has characters in it that cannot be seen")
    found = _SCHEME.fullmatch(text)
    scheme = found[1].lower() if found else ""
    if found is None or scheme not in {*_WEB, *_BUCKETS, "hf"}:
        raise BadUri("the uri is not an https://, gs://, s3:// or hf:// address")
    return scheme, found[2]


_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def _web(text: str) -> tuple[str, tuple[str, ...]]:
    try:
        split = urlsplit(text)
        host = split.hostname or ""
        split.port  # noqa: B018 - reading it is what checks it
    except ValueError:
        raise BadUri("the uri's host or port is not one") from None
    if "@" in split.netloc:
        raise BadUri("the uri has a user or password in it", "data is read without one, or from a bucket")
    if "?" in text or "#" in text:
        raise BadUri(
            "the uri has a query or a fragment",
            "a signed address is a secret, and a commit is no place for it: name the object as gs:// or s3://",
        )
    if is_numeric(host):
        raise BadUri("the uri's host is a number that is no whole address", "write a name, or four numbers with dots")
    try:
        origin = checked_endpoint(f"{split.scheme}://{split.netloc}")
    except Rejected as error:
        if split.scheme == "http" and not is_loopback(host):
            raise BadUri("data is read over https alone; http is for this machine") from None
        raise BadUri("the uri's host is not written plainly", error.hint) from None
    path = split.path.removeprefix("/")
    return origin, tuple(_part(_unquoted(part)) for part in path.split("/")) if path else ()


def is_numeric(host: str) -> bool:
    """Whether a resolver takes a host for an address though it is not written as one: ``2130706433``, ``0x7f.1``."""
    last = host.rstrip(".").rpartition(".")[2]
    if not _NUMBER.fullmatch(last):
        return False
    try:
        return str(ipaddress.IPv4Address(host.rstrip("."))) != host.rstrip(".")
    except ValueError:
        return True


def _unquoted(part: str) -> str:
    try:
        found = unquote(part, errors="strict")
    except UnicodeDecodeError:
        raise BadUri("the uri's path has an escape that is not UTF-8") from None
    if "%" in found or "/" in found:
        raise BadUri("the uri's path has an escape that can be read in two ways", "rename the file")
    return found


def _bucket(scheme: str, rest: str) -> tuple[str, tuple[str, ...]]:
    bucket, _, key = rest.partition("/")
    if not _BUCKETS[scheme].fullmatch(bucket):
        raise BadUri(f"{scheme}:// is not followed by the name of a bucket")
    return f"{scheme}://{bucket}", _plain(key)


def _plain(key: str) -> tuple[str, ...]:
    if any(character in key for character in "%?#"):
        raise BadUri("the name of the object has a %, ? or # in it, which can be read in two ways", "rename the object")
    return tuple(_part(part) for part in key.split("/")) if key else ()


def _part(part: str) -> str:
    if part in {"", ".", ".."} or any(unicodedata.category(c) in _UNSEEN or c in '\\;"<>^`{|}' for c in part):
        raise BadUri("the uri's path has an empty part, `.`, `..`, or a character that is read in several ways")
    if unicodedata.normalize("NFKC", part) != part or part != part.strip():
        raise BadUri("the uri's path has a look-alike of another character in it", "rename the file in plain letters")
    return part


def _whole(parts: tuple[str, ...]) -> tuple[str, ...]:
    if not parts:
        raise BadUri("the uri names no file")
    if len(parts) > _MOST_PARTS:
        raise BadUri(f"the uri's path has more than {_MOST_PARTS} parts")
    return parts

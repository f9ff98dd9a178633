"""The text that says where a repository is to a local path or a network address that git may be given. Pure."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

from controller.git.failures import NoRepository

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\]")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_PATH = re.compile(r"[^\x00-\x20\x7f]{1,1024}")
_USERINFO = re.compile(r"(?<=://)[^/\s@'\"]*@")
# Their paths do not tell upper case from lower, so one repository would have two identities.
_CASELESS: Final = frozenset({"github.com", "gitlab.com", "bitbucket.org", "codeberg.org"})
_HINT = "Use https://…, ssh://…, git@host:path, file:///… or a path."


@dataclass(frozen=True, slots=True)
class LocalPath:
    """A repository in the file system, read and written without starting a git of its own there."""

    path: str

    def __str__(self) -> str:
        """The path."""
        return self.path


@dataclass(frozen=True, slots=True)
class NetworkUrl:
    """A repository behind https or ssh, or http on loopback. ``url`` is what git is given: no password in it."""

    url: str
    scheme: str
    host: str
    port: int | None
    path: str

    def __str__(self) -> str:
        """The address, fit to show."""
        return self.url

    @property
    def identity(self) -> str:
        """``host/path`` without user, port and ``.git``: what names the repository whichever way it is reached."""
        host = self.host.lower()
        path = self.path.strip("/").removesuffix(".git").rstrip("/")
        return f"{host}/{path.lower() if host in _CASELESS else path}"


Location = LocalPath | NetworkUrl


def full_name(address: str | None) -> str:
    """What a forge calls the repository at a network address: ``owner/name``; "" for any other text."""
    try:
        location = parse_location(address or "")
    except NoRepository:
        return ""
    return location.identity.partition("/")[2] if isinstance(location, NetworkUrl) else ""


def without_userinfo(text: str) -> str:
    """The text with user and password taken out of every URL in it."""
    return _USERINFO.sub("", text)


def parse_location(text: str) -> Location:
    """Where a repository is. Raises `NoRepository` for what is on no allow-list (``ext::``, ``git://``, options, …)."""
    if not text or text.startswith("-") or re.search(r"[\x00-\x1f\x7f]", text) or "::" in text.split("/", 1)[0]:
        raise _refused(text)
    if "://" in text:
        return _url(text)
    if scp := _scp(text):
        return scp
    return LocalPath(text)


def _url(text: str) -> Location:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise _refused(text) from error
    if parts.query or parts.fragment or not parts.path.startswith("/"):
        raise _refused(text)
    match parts.scheme:
        case "file" if host in {"", "localhost"}:
            return LocalPath(unquote(parts.path))
        case "https":
            return _network("https", "", host, port, parts.path)
        case "http" if _loopback(host):
            return _network("http", "", host, port, parts.path)
        case "ssh":
            return _network("ssh", parts.username or "", host, port, parts.path)
        case _:
            raise _refused(text)


def _network(scheme: str, user: str, host: str, port: int | None, path: str) -> NetworkUrl:
    """The address rebuilt from its parts, so that nothing else of the text reaches git."""
    shown = f"[{host}]" if ":" in host else host
    if not _HOST.fullmatch(shown) or not _PATH.fullmatch(path) or path.strip("/") == "":
        raise _refused(f"{scheme}://{host}{path}")
    if user and not _USER.fullmatch(user):
        raise _refused(f"{scheme}://{host}{path}")
    before = f"{user}@" if user else ""
    after = f":{port}" if port is not None else ""
    return NetworkUrl(f"{scheme}://{before}{shown}{after}{path}", scheme, host, port, path)


def _scp(text: str) -> NetworkUrl | None:
    """``git@host:path``, as git reads it: a colon before the first slash."""
    head, colon, path = text.partition(":")
    if not colon or "/" in head or not path:
        return None
    user, at, host = head.rpartition("@")
    if at and not user:
        raise _refused(text)
    if not _HOST.fullmatch(host) or not _PATH.fullmatch(path) or path.startswith("-"):
        raise _refused(text)
    if user and not _USER.fullmatch(user):
        raise _refused(text)
    return NetworkUrl(text, "ssh", host, None, path)


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refused(text: str) -> NoRepository:
    return NoRepository(f"{without_userinfo(text)[:200]!r} is not a repository address Gitune uses", hint=_HINT)


def local_path(location: LocalPath, beside: str) -> str:
    """The path, a relative one taken from ``beside`` (the root of the repository that names it)."""
    return str(PurePosixPath(beside) / location.path)

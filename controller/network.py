"""An address and an environment to the proxy on the way there, and to the authorities that certificates are checked by.

The variables are those that curl reads, in either case, the lower one first: ``https_proxy``, ``all_proxy``,
``no_proxy``; and those of OpenSSL: ``SSL_CERT_FILE``, ``SSL_CERT_DIR``. No file of a repository is read. Plain http is
spoken to this machine and to the metadata server beside it alone: no proxy is used, whatever ``http_proxy`` says.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from controller.errors import Rejected, RejectedKind

CERT_FILE: Final = "SSL_CERT_FILE"
CERT_DIR: Final = "SSL_CERT_DIR"
_PORTS: Final = {"http": 80, "https": 443}
_NAMES: Final = ("https_proxy", "all_proxy")


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that a ``variable`` names. Only ``url`` has its user and password; ``shown`` is host and port."""

    variable: str
    shown: str
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authorities:
    """What stands in for the well-known certificate authorities: a file of PEM certificates, and hashed folders."""

    file: str | None
    folders: tuple[str, ...]

    def context(self) -> ssl.SSLContext:
        """A client's context that trusts these alone. Raises `Rejected` for what cannot be read, by its variable."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for folder in self.folders:
            if not Path(folder).is_dir():
                raise _unusable(CERT_DIR, folder, "is not a folder")
            context.load_verify_locations(capath=folder)
        if self.file is not None:
            try:
                context.load_verify_locations(cafile=self.file)
            except ssl.SSLError:
                raise _unusable(CERT_FILE, self.file, "holds no certificate in PEM form") from None
            except OSError as error:
                raise _unusable(CERT_FILE, self.file, f"cannot be read: {error.strerror}") from None
        return context


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its spelling alone: no name but ``localhost`` is trusted to stay here."""
    found = _address(host)
    return host.lower() == "localhost" if found is None else found.is_loopback


def proxy_for(url: str, environ: Mapping[str, str]) -> Proxy | None:
    """The proxy that requests to an address go through; None where they go there directly.

    Only https goes through one, and nothing that goes to this machine. Raises `Rejected` for a variable that names no
    proxy, without its value.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme != "https" or not host or is_loopback(host) or _is_exempt(host, parts, environ):
        return None
    return next((_proxy(name, value) for name, value in _values(environ, *_NAMES).items()), None)


def authorities(environ: Mapping[str, str]) -> Authorities | None:
    """What ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` name; None where neither does."""
    file = environ.get(CERT_FILE, "").strip() or None
    folders = tuple(filter(None, environ.get(CERT_DIR, "").strip().split(os.pathsep)))
    return None if file is None and not folders else Authorities(file, folders)


def passwords(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The password of every proxy in the environment, as it is written and as it is meant; of unusable ones too."""
    found = []
    for value in _values(environ, "http_proxy", *_NAMES).values():
        with suppress(ValueError):
            found.append(urlsplit(value if "://" in value else f"http://{value}").password or "")
    return tuple(one for password in found if password for one in (password, unquote(password)))


def described(environ: Mapping[str, str]) -> str:
    """What of the environment is obeyed, in words without a password; "" where it says nothing.

    Raises `Rejected` for what cannot be used.
    """
    told = [f"{name} is {_proxy(name, value).shown}" for name, value in _values(environ, *_NAMES).items()]
    exempt = environ.get("no_proxy", environ.get("NO_PROXY", "")).strip()
    told += [f"no proxy for {exempt}"] if told and exempt else []
    if (found := authorities(environ)) is not None:
        found.context()
        told.append(f"certificates are checked by {', '.join([*filter(None, [found.file]), *found.folders])}")
    return "; ".join(told)


def _values(environ: Mapping[str, str], *names: str) -> dict[str, str]:
    """What those variables say, each by the spelling that is obeyed; without those that say nothing."""
    found = {}
    for name in names:
        variable = next((one for one in (name, name.upper()) if one in environ), name)
        if value := environ.get(variable, "").strip():
            found[variable] = value
    return found


def _proxy(variable: str, value: str) -> Proxy:
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        port = parts.port
    except ValueError:
        raise _no_proxy(variable, "does not name a proxy") from None
    if parts.scheme not in _PORTS:
        raise _no_proxy(variable, "names a proxy of a kind that is not spoken: an http or https one is needed")
    if not parts.hostname or any(c.isspace() or not c.isprintable() for c in value):
        raise _no_proxy(variable, "does not name a proxy")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    shown = f"{host}:{_PORTS[parts.scheme] if port is None else port}"
    user, at, _ = parts.netloc.rpartition("@")
    return Proxy(variable, shown, f"{parts.scheme}://{user}{at}{shown}")


def _is_exempt(host: str, parts: SplitResult, environ: Mapping[str, str]) -> bool:
    """Whether ``no_proxy`` holds the host, a domain above it, its network, or ``*``; with a port, that port alone."""
    said = environ.get("no_proxy", environ.get("NO_PROXY", ""))
    port = parts.port or _PORTS.get(parts.scheme)
    return any(_matches(host.lower(), port, word.lower()) for word in said.replace(",", " ").split())


def _matches(host: str, port: int | None, word: str) -> bool:
    address = _address(host)
    if word == "*":
        return True
    if address is not None:
        try:
            return address in ipaddress.ip_network(word.strip("[]"), strict=False)
        except ValueError:
            pass
    name, colon, of_port = word.rpartition(":")
    if colon and of_port.isdigit():
        return port == int(of_port) and _matches(host, port, name)
    domain = word.removeprefix("*").strip(".[]")
    return bool(domain) and (host == domain or (address is None and host.endswith(f".{domain}")))


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _no_proxy(variable: str, why: str) -> Rejected:
    # Without the value: a password may stand in it.
    return Rejected(
        f"{variable} {why}", kind=RejectedKind.PRECONDITION, hint="Write it as http://HOST:PORT, or unset it."
    )


def _unusable(variable: str, path: str, why: str) -> Rejected:
    shown = "".join(c if c.isprintable() else "?" for c in path[:300])
    return Rejected(
        f"{variable} names {shown}, which {why}",
        kind=RejectedKind.PRECONDITION,
        hint=f"Let {variable} name the certificates of your authority, or unset it for the well-known ones.",
    )

"""A host's name to the addresses that may be connected to, and sockets that go to those and to no other."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import httpcore

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]  # a name and a port to addresses as text

# What no public server has, of RFC 6890 and its registry: `is_global` differs between releases of Python.
_NOT_PUBLIC: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16"),
            *("192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"),
        ),
    )
)
_PUBLIC_V6: Final = ipaddress.ip_network("2000::/3")
# Each of these has an IPv4 address, or a tunnel's end, within it.
_NOT_PUBLIC_V6: Final = tuple(map(ipaddress.ip_network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
# Azure's host on a public address: it hands out what the machine is set up with.
_METADATA: Final = frozenset({ipaddress.ip_address("168.63.129.16")})


class OutOfReach(Exception):
    """A name stands for addresses of a private network alone. ``host`` is that name."""

    def __init__(self, host: str) -> None:
        super().__init__(f"{host} stands for no public address")
        self.host = host


def is_public(address: Address) -> bool:
    """Whether an address is one that anybody may have, on every way of writing it."""
    if address in _METADATA:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC)
    return address in _PUBLIC_V6 and not any(address in network for network in _NOT_PUBLIC_V6)


@dataclass(frozen=True, slots=True)
class Reach:
    """Public addresses, and those of ``networks``."""

    networks: tuple[Network, ...] = ()

    def allows(self, address: Address) -> bool:
        """Whether it may be connected to."""
        return is_public(address) or any(address in network for network in self.networks)

    def chosen(self, host: str, found: Iterable[str]) -> tuple[str, ...]:
        """Those of a host's addresses that may be connected to. Raises `OutOfReach` where there is none."""
        allowed = tuple(str(one) for one in map(_address, found) if one is not None and self.allows(one))
        if not allowed:
            raise OutOfReach(host)
        return allowed

    def check_literal(self, host: str) -> None:
        """Raises `OutOfReach` for a host that is an address, and not one that may be connected to."""
        found = _address(host.strip("[]"))
        if found is not None and not self.allows(found):
            raise OutOfReach(host)


def _address(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)  # with a zone (fe80::1%eth0) it is in no network that is public
    except ValueError:
        return None


async def resolved(host: str, port: int) -> Sequence[str]:
    """What the system's resolver says of a name. Raises `OSError`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


def checked(inner: httpcore.AsyncNetworkBackend, reach: Reach, resolve: Resolve) -> httpcore.AsyncNetworkBackend:
    """Sockets as ``inner`` makes them, to addresses that were checked: a name is resolved once, here, and not again."""
    return _CheckedBackend(inner, reach, resolve)


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Connects as ``inner`` does, where that is allowed."""

    def __init__(self, inner: httpcore.AsyncNetworkBackend, reach: Reach, resolve: Resolve) -> None:
        self._inner = inner
        self._reach = reach
        self._resolve = resolve

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        allowed = self._reach.chosen(host, await self._resolve(host, port))
        for one in allowed[:-1]:
            try:
                return await self._inner.connect_tcp(one, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._inner.connect_tcp(allowed[-1], port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109, ARG002 - httpcore's signature
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 - httpcore's signature
    ) -> httpcore.AsyncNetworkStream:
        raise OutOfReach(path)

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)

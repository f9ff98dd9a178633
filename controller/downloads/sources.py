"""The operator's list of where data may be read from to a yes or a no for one address."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from controller.errors import ControllerError
from controller.network import is_loopback
from controller.rest import Network, Reach
from controller.specs.data_uri import BadUri, DataUri, covers, parse_data_uri, parse_entry

DATA_SOURCES: Final = "GITUNE_DATA_SOURCES"
_HINT: Final = "List origins such as https://host/path, and gs://bucket, s3://bucket/prefix, hf://datasets/OWNER."


@dataclass(frozen=True, slots=True)
class DataSources:
    """What was said outside of the repository: of nothing said, nothing is read. ``where`` is the place to say it."""

    prefixes: tuple[DataUri, ...] = ()
    networks: tuple[Network, ...] = ()
    where: str = DATA_SOURCES

    def allows(self, uri: DataUri) -> bool:
        """Whether a spec may name it."""
        return any(covers(prefix, uri) for prefix in self.prefixes)

    def names(self, scheme: str) -> bool:
        """Whether anything of a scheme may be read."""
        return any(prefix.scheme == scheme for prefix in self.prefixes)

    def leads_to(self, url: str) -> bool:
        """Whether a redirect may be followed there. It may have a query, as signed addresses have."""
        try:
            return self.allows(parse_data_uri(url.partition("?")[0]))
        except BadUri:
            return False

    def has_origin(self, origin: str) -> bool:
        """Whether it is on the list as a whole: where another service than the well-known one answers."""
        return any(prefix.root == origin and not prefix.parts for prefix in self.prefixes)

    def reach(self, url: str) -> Reach:
        """The addresses that the host of an allowed address may stand for."""
        host = (urlsplit(url).hostname or "").rstrip(".")
        own = (network for prefix in self.prefixes for network in _own_network(prefix, host))
        return Reach((*self.networks, *own))


def _own_network(prefix: DataUri, host: str) -> Iterable[Network]:
    """The address that an entry names as its host: what is written as an address is meant as one."""
    if prefix.scheme not in {"http", "https"} or urlsplit(prefix.root).hostname != host:
        return ()
    try:
        return (ipaddress.ip_network(host),)
    except ValueError:
        return _THIS_MACHINE if is_loopback(host) else ()


_THIS_MACHINE: Final = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


def data_sources(text: str, where: str = DATA_SOURCES) -> DataSources:
    """The entries of a list, between blanks, that ``where`` says. Raises `ControllerError` for a bad one."""
    prefixes: list[DataUri] = []
    networks: list[Network] = []
    for number, word in enumerate(text.split(), 1):
        try:
            found = parse_entry(word)
        except BadUri as error:
            # By its number: a password may have been written into it.
            raise ControllerError(f"{where}: entry {number}: {error.message}", hint=_HINT) from None
        if isinstance(found, DataUri):
            prefixes.append(found)
        else:
            networks.append(found)
    return DataSources(tuple(prefixes), tuple(networks), where)

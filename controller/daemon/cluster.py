"""A Lease object of a Kubernetes cluster to a cell: its resourceVersion is the tip, its holder the text.

The only importer of lightkube, which the extra ``kubernetes`` brings.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from http import HTTPStatus
from http.client import responses
from pathlib import Path
from typing import Final, TypeVar

import httpx2
import msgspec
from lightkube.config.kubeconfig import SERVICE_ACCOUNT, KubeConfig, SingleConfig
from lightkube.core.async_client import AsyncClient
from lightkube.core.exceptions import ConfigError
from lightkube.models.coordination_v1 import LeaseSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.coordination_v1 import Lease
from yaml import YAMLError

from controller.daemon.lease import LASTS
from controller.errors import ControllerError, RevisionConflict

T = TypeVar("T")

# What makes one renewal another text than the last; the holder stays readable for `kubectl get lease`.
NONCE: Final = "gitune.dev/renewal"
_DEADLINE: Final = 5.0  # seconds for one answer: two of them are far shorter than a lease
_LONGEST: Final = 300
# KeyError: an answer without a content type. ValueError: one that says it is JSON and is not.
_UNREAD: Final = (ConfigError, msgspec.MsgspecError, OSError, KeyError, ValueError)
_FOREIGN: Final = (*_UNREAD, httpx2.HTTPError, httpx2.InvalidURL)
# A kubeconfig is read without being looked at: one of another shape raises whatever comes first.
_BROKEN: Final = (*_UNREAD, YAMLError, TypeError, AttributeError)


class ClusterCell:
    """One Lease object. Its standard fields tell the truth to whoever lists leases; no clock in them is believed.

    What else is on the object (labels, annotations, an owner) is kept as it was read.
    """

    def __init__(self, client: AsyncClient, name: str, now: Callable[[], datetime]) -> None:
        self._client = client
        self._name = name
        self._now = now
        self._known = Lease(metadata=ObjectMeta(name=name))

    async def read(self) -> tuple[str | None, str]:
        """The resourceVersion and the text; (None, "") where there is no such object. Raises `ControllerError`."""
        seen = await self._asked("get", self._client.get(Lease, self._name))
        if not isinstance(seen, Lease):
            if seen == HTTPStatus.NOT_FOUND:
                self._known = Lease(metadata=ObjectMeta(name=self._name))
                return None, ""
            raise self._refused("get", seen)
        self._known = seen
        return self._tip(seen), _text(seen)

    async def write(self, tip: str | None, text: str) -> str:
        """The new resourceVersion. Raises `RevisionConflict` where the object is not at ``tip``, `ControllerError`."""
        drawn = self._drawn(tip, text)
        operation = "create" if tip is None else "update"
        ask = self._client.create(drawn) if tip is None else self._client.replace(drawn)
        seen = await self._asked(operation, ask)
        if isinstance(seen, Lease):
            self._known = seen
            return self._tip(seen)
        if seen == HTTPStatus.CONFLICT or (tip is not None and seen == HTTPStatus.NOT_FOUND):
            raise RevisionConflict(f"the lease {self._place} was changed by another process", hint="Read it again.")
        raise self._refused(operation, seen)

    @property
    def _place(self) -> str:
        return f"{self._client.namespace}/{self._name}"

    def _drawn(self, tip: str | None, text: str) -> Lease:
        """The object as it is to be: all of what was read, with the holder and the times of the text."""
        who, _, nonce = text.partition(" ")
        before = self._known.metadata or ObjectMeta(name=self._name)
        annotations = {**(before.annotations or {}), NONCE: nonce}
        metadata = msgspec.structs.replace(before, resourceVersion=tip, annotations=annotations)
        return Lease(metadata=metadata, spec=_spec(self._known.spec, who, self._now()))

    def _tip(self, seen: Lease) -> str:
        if seen.metadata is None or not seen.metadata.resourceVersion:
            hint = "Is that address the API server of a Kubernetes cluster?"
            raise ControllerError(f"the lease {self._place} was answered without a resourceVersion", hint=hint)
        return str(seen.metadata.resourceVersion)

    async def _asked(self, operation: str, ask: Awaitable[Lease]) -> Lease | int:
        """The object, or the HTTP status of a refusal. Whatever else goes wrong is a `ControllerError`."""
        try:
            async with asyncio.timeout(_DEADLINE):
                return await ask
        except httpx2.HTTPStatusError as error:
            return error.response.status_code
        except TimeoutError:
            said = f"no answer within {_DEADLINE:g} seconds"
        except _FOREIGN as error:
            said = f"the answer cannot be had or understood ({type(error).__name__})"
        raise ControllerError(
            f"{operation} of the lease {self._place}: {said}",
            hint="Can the pod reach the API server? See the egress rules of its NetworkPolicy.",
        )

    def _refused(self, operation: str, code: int) -> ControllerError:
        message = f"{operation} of the lease {self._place}: the API server answered {code} {responses.get(code, '')}"
        return ControllerError(message, hint=_HINTS.get(code, "It is asked again."))


_HINTS: Final[dict[int, str]] = {
    HTTPStatus.UNAUTHORIZED: "The pod's token is not accepted: is there a ServiceAccount, and is its token mounted?",
    HTTPStatus.FORBIDDEN: "The ServiceAccount needs `get` and `update` on this lease, and `create` where it is not "
    "there: apply role.yaml and lease.yaml of deploy/kubernetes.",
    HTTPStatus.NOT_FOUND: "Does the namespace exist?",
}


@asynccontextmanager
async def open_cluster_cell(
    name: str, now: Callable[[], datetime], account: Path = Path(SERVICE_ACCOUNT)
) -> AsyncIterator[ClusterCell]:
    """The Lease of that name in the pod's own namespace, or in that of the context in ``KUBECONFIG``.

    No request is sent here. Raises `ControllerError` where no cluster is known.
    """
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    try:
        # The environment's proxies and certificates are not read: the cluster's own are named by the account.
        client = AsyncClient(_cluster(account), timeout=httpx2.Timeout(_DEADLINE), trust_env=False)
    except _BROKEN as error:
        raise ControllerError(
            f"the configuration of the cluster cannot be used ({type(error).__name__})",
            hint=f"Look at {account} and the pod's KUBERNETES_SERVICE_HOST and _PORT, or at the file in KUBECONFIG.",
        ) from None  # its text may quote a token
    try:
        yield ClusterCell(client, name, now)
    finally:
        await client.close()


def check_cluster(account: Path = Path(SERVICE_ACCOUNT)) -> None:
    """Raises `ControllerError` where nothing tells of a cluster."""
    if not (account / "token").exists() and not os.environ.get("KUBECONFIG"):
        raise ControllerError(
            "--lease kubernetes: there is no cluster here",
            hint="Run it in a pod that has its ServiceAccount's token mounted, or name a file in KUBECONFIG.",
        )


def _cluster(account: Path) -> SingleConfig:
    """A pod's own account, else what ``KUBECONFIG`` names; never the file that a person's kubectl happens to use."""
    check_cluster(account)
    if (account / "token").exists():
        config = KubeConfig.from_service_account(account)
    else:
        config = KubeConfig.from_file(os.environ["KUBECONFIG"])
    found = config.get()
    if found is None:
        raise ConfigError("no context")
    return found


def _text(seen: Lease) -> str:
    """``holder nonce``; "" where nobody holds it."""
    holder = "_".join(((seen.spec and seen.spec.holderIdentity) or "").split())
    nonce = ((seen.metadata and seen.metadata.annotations) or {}).get(NONCE, "")
    return f"{holder} {nonce}"[:_LONGEST] if holder else ""


def _spec(before: LeaseSpec | None, who: str, now: datetime) -> LeaseSpec:
    """The fields as client-go keeps them: the times only while it is held, and how often it changed hands."""
    known = before or LeaseSpec()
    now = now if now.microsecond else now.replace(microsecond=1)  # Kubernetes' MicroTime is not read without a fraction
    if not who:
        return msgspec.structs.replace(known, holderIdentity="", acquireTime=None, renewTime=None)
    goes_on = known.holderIdentity == who
    changes = 0 if before is None else (known.leaseTransitions or 0) + (not goes_on)
    return msgspec.structs.replace(
        known,
        holderIdentity=who,
        leaseDurationSeconds=int(LASTS),
        acquireTime=(known.acquireTime if goes_on else None) or now,
        renewTime=now,
        leaseTransitions=changes,
    )

"""What a Lease needs of a Kubernetes API server, over real TLS: resourceVersions, Status objects, tokens, roles.

Written from the API's documentation: a write without the newest resourceVersion is 409 Conflict, a create of what is
there 409 AlreadyExists, a MicroTime without a fraction 400 BadRequest; every refusal is a Status object.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.loopback import answering, self_signed

NAMESPACE = "gitune"
ROUTE = re.compile(r"/apis/coordination\.k8s\.io/v1/namespaces/([a-z0-9-]+)/leases(?:/([a-z0-9.-]+))?")
MICRO_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)")
VERBS = {"GET": "get", "PUT": "update", "POST": "create"}
REASONS = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 422: "Invalid"}


class Dropped(Exception):
    """The connection closes without one."""


@dataclass
class ApiServer:
    """``fault`` is asked before a request is carried out, ``lost`` before its answer leaves."""

    tokens: set[str] = field(default_factory=lambda: {"first-token"})
    verbs: set[str] = field(default_factory=lambda: {"get", "update"})
    leases: dict[str, dict[str, Any]] = field(default_factory=dict)
    requests: list[tuple[str, str, int]] = field(default_factory=list)
    fault: Callable[[str], tuple[int, bytes, str] | None] = lambda _verb: None
    lost: Callable[[str], None] = lambda _verb: None
    url: str = ""
    version: int = 100
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ship(self, name: str = "gitune", **metadata: Any) -> None:
        """The object as `kubectl apply` leaves it: no spec."""
        with self.lock:
            self._keep({"metadata": {"name": name, "namespace": NAMESPACE, "uid": "1", **metadata}})

    def lease(self, name: str = "gitune") -> dict[str, Any]:
        return self.leases[name]

    @property
    def writes(self) -> int:
        return sum(verb != "get" and code < 300 for verb, _, code in self.requests)

    def answer(self, method: str, path: str, token: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if token not in self.tokens:
            return status(401, "Unauthorized")
        route = ROUTE.fullmatch(path)
        if route is None or route[1] != NAMESPACE:
            return status(404, "the server could not find the requested resource")
        if VERBS[method] not in self.verbs:
            said = f'leases.coordination.k8s.io "{route[2]}" is forbidden: User cannot {VERBS[method]} resource'
            return status(403, said)
        with self.lock:
            return self._carried_out(method, route[2] or body["metadata"]["name"], body)

    def _carried_out(self, method: str, name: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        known = self.leases.get(name)
        if method == "GET":
            return (200, known) if known else status(404, f'leases.coordination.k8s.io "{name}" not found')
        if problem := wrong(body):
            return problem
        if method == "POST":
            if known:
                return status(409, f'leases.coordination.k8s.io "{name}" already exists', "AlreadyExists")
            return 201, self._keep(body)
        if known is None:
            return status(404, f'leases.coordination.k8s.io "{name}" not found')
        if body["metadata"].get("resourceVersion") != known["metadata"]["resourceVersion"]:
            return status(409, "the object has been modified; please apply your changes to the latest version")
        if body["metadata"].get("uid") not in {None, known["metadata"]["uid"]}:
            return status(409, "Precondition failed: UID in precondition")
        return 200, self._keep(body)

    def _keep(self, body: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        metadata = {"uid": "1", "namespace": NAMESPACE, **body["metadata"], "resourceVersion": str(self.version)}
        kept = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata}
        self.leases[metadata["name"]] = kept | ({"spec": body["spec"]} if "spec" in body else {})
        return self.leases[metadata["name"]]

    @contextmanager
    def running(self, folder: Path) -> Iterator[ApiServer]:
        """Listens; ``folder`` becomes what a pod finds mounted of its account."""
        secured = self_signed(folder)
        (folder / "token").write_text("first-token")
        (folder / "namespace").write_text(NAMESPACE)
        with answering(_handler(self), secured) as self.url:
            yield self

    def kubeconfig(self, folder: Path) -> Path:
        """A file for KUBECONFIG that leads here."""
        path = folder / "kubeconfig.yaml"
        cluster = {"server": self.url, "certificate-authority": str(folder / "ca.crt")}
        context = {"cluster": "c", "user": "u", "namespace": NAMESPACE}
        named = {
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"tokenFile": str(folder / "token")}}],
            "contexts": [{"name": "x", "context": context}],
            "current-context": "x",
        }
        path.write_text(json.dumps(named))  # JSON is YAML
        return path


def status(code: int, message: str, reason: str = "") -> tuple[int, dict[str, Any]]:
    """A refusal as the API server words it."""
    said = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    return code, said | {"reason": reason or REASONS[code], "code": code}


def wrong(body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
    """What decoding and validation refuse of a Lease."""
    spec = body.get("spec", {})
    for name in ("acquireTime", "renewTime"):
        if spec.get(name) is not None and not MICRO_TIME.fullmatch(spec[name]):
            return status(400, f'Lease in version "v1" cannot be handled as a Lease: parsing time "{spec[name]}"')
    if spec.get("leaseDurationSeconds", 1) <= 0 or spec.get("leaseTransitions", 0) < 0:
        return status(422, "Lease is invalid: spec: must be greater than or equal to 0")
    return None


def _handler(api: ApiServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            verb, path = VERBS[self.command], urlsplit(self.path).path
            body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
            token = self.headers.get("authorization", "").removeprefix("Bearer ")
            try:
                given = api.fault(verb)
                if given is None:
                    code, value = api.answer(self.command, path, token, body)
                    given = code, json.dumps(value).encode(), "application/json"
                api.requests.append((verb, path, given[0]))
                api.lost(verb)
                self._send(*given)
            except (Dropped, OSError):
                self.close_connection = True

        def _send(self, code: int, data: bytes, kind: str) -> None:
            self.send_response(code)
            if kind:
                self.send_header("content-type", kind)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            self._answer()

        def do_PUT(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def log_message(self, *_: object) -> None:
            """Silence."""

    return Handler


def hang(seconds: float) -> Callable[[str], None]:
    """Answers come after that time."""

    def hung(_verb: str) -> None:
        time.sleep(seconds)

    return hung


def drop(verb: str) -> Callable[[str], None]:
    """Requests of a kind are carried out, and their answers lost."""

    def dropped(asked: str) -> None:
        if asked == verb:
            raise Dropped

    return dropped

"""A request to the simulated service over a line that loses, repeats and garbles; as bytes for httpx, or directly."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from controller.errors import ProviderError, Rejected, RejectedKind, Transient
from controller.rest import JSON, Answered, ApiCall, ClientLimits, Repeat
from controller.rest.failures import lost
from tests.simulation.chance import Draw
from tests.simulation.events import Asked
from tests.simulation.faults import Faults
from tests.simulation.lives import Incarnation
from tests.simulation.remote import Json, Remote, Reply, error

T = TypeVar("T")

KEY = "key-canary-51d0c2"  # the API key: it must never come out anywhere
LIMITS = ClientLimits(reading=1800.0)  # requests are up to 15 s on their way, and a page may hold one model
_HTML = b"<html><body>Sign in</body></html>"
_QUIET = {"x-sim": "1"}


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as the service understands it."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Json

    @property
    def site(self) -> str:
        """Which faults can strike: of a read, of a create, or of another write."""
        if not self.writes:
            return "read"
        return "create" if self.path.endswith("/tunedModels") else "write"

    @property
    def writes(self) -> bool:
        """Whether it changes anything: a question to a model does not."""
        return self.method != "GET" and not self.path.endswith(":generateContent")

    @property
    def verb(self) -> str:
        """What it asks for, in a word."""
        if not self.writes:
            return "read"
        if self.path.endswith(":cancel"):
            return "cancel"
        return {"POST": "create", "PATCH": "update", "DELETE": "delete"}.get(self.method, "read")


class Broken(Exception):
    """No answer. ``how`` is what httpx would raise; ``sent`` whether bytes may have left."""

    def __init__(self, how: str, *, sent: bool) -> None:
        super().__init__(how)
        self.how = how
        self.sent = sent


class Line:
    """The way from one incarnation of a controller to the service."""

    def __init__(self, remote: Remote, life: Incarnation, faults: Faults, draw: Draw) -> None:
        self._remote = remote
        self._life = life
        self._faults = faults
        self._draw = draw

    def date(self) -> str:
        """What an answer of this moment says the time is."""
        return self._remote.date(asyncio.get_running_loop().time())

    async def exchange(self, request: Request) -> tuple[Reply | None, bytes]:
        """The service's reply, or bytes that are none. Raises `Broken`."""
        life, writes = self._life, request.writes
        life.touch(f"{request.method} {request.path}", writes=writes)
        number = life.effects.begin(request.verb) if writes else 0
        if writes and life.effect(number, "before"):
            raise life.crash(f"before {request.verb}")
        fault = self._faults.pick(request.site)
        if life.effects.fails(number):
            fault = f"{request.site}.lost"
        if fault == "create.refused":
            raise Broken("connect", sent=False)
        answer = await self._carried(request, fault.partition(".")[2], number)
        life.touch(f"answer to {request.path}")
        if writes and life.effect(number, "after"):
            raise life.crash(f"after {request.verb}")
        return answer

    async def _carried(self, request: Request, fault: str, number: int) -> tuple[Reply | None, bytes]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[tuple[Reply | None, bytes]] = loop.create_future()

        def arrive() -> None:
            """The request is at the service, whether or not its sender still lives."""
            reply = self._act(request, fault)
            if fault == "twice":
                loop.call_later(self._draw.between(0.01, 2.0), self._repeat, request)
            if number and not answer.done() and self._life.alive and self._life.effect(number, "acted"):
                answer.set_exception(self._life.crash(f"while {request.verb} was answered"))
            elif not answer.done():
                _settle(answer, reply, fault)

        far = self._remote.service.distance
        delay = far + (self._draw.between(0.01, 0.4) if request.writes else 0.02)
        loop.call_later(100.0 if fault == "slow" else delay, arrive)
        return await answer

    def _act(self, request: Request, fault: str) -> Reply:
        now = asyncio.get_running_loop().time()
        self._life.log(Asked(self._life.label, request.verb, request.path))
        match fault:
            case "dropped" | "500-before" | "500" | "503" | "429" | "401" | "403":
                return _refusal(fault)
            case "deaf":
                self._remote.deaf = True
                reply = served(self._remote, request, now, self._life.label)
                self._remote.deaf = False
            case _:
                reply = served(self._remote, request, now, self._life.label)
        return _refusal("500") if fault == "500-after" else reply

    def _repeat(self, request: Request) -> None:
        """The same bytes once more: something between has sent them twice."""
        now = asyncio.get_running_loop().time()
        self._remote.repeating = True
        served(self._remote, request, now, self._life.label)
        self._remote.repeating = False


def _settle(answer: asyncio.Future[tuple[Reply | None, bytes]], reply: Reply, fault: str) -> None:
    match fault:
        case "dropped" | "lost":
            answer.set_exception(Broken("read", sent=True))
        case "hangs":
            pass  # the client's own deadline ends it
        case "garbled":
            answer.set_result((None, b'{"name": "tunedMod'))
        case "page":
            answer.set_result((None, _HTML))
        case "empty":
            answer.set_result((None, b""))
        case _:
            answer.set_result((reply, b""))


def _refusal(fault: str) -> Reply:
    match fault:
        case "429":
            info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3s"}
            return error(429, "RESOURCE_EXHAUSTED", "Quota exceeded.", info)
        case "503":
            return error(503, "UNAVAILABLE", "The service is overloaded.")
        case "401":
            return error(401, "UNAUTHENTICATED", f"The key {KEY} has expired.")
        case "403":
            return error(403, "PERMISSION_DENIED", "Permission denied.")
        case _:
            return error(500, "INTERNAL", "An internal error has occurred.")


def served(remote: Remote, request: Request, now: float, by: str) -> Reply:
    """One request carried out, as the paths of the API say."""
    path, query = request.path, request.query
    if path == "/v1beta/tunedModels":
        if request.method == "POST":
            return remote.create(query.get("tunedModelId", ""), request.body, now, by)
        return remote.page(query.get("pageToken", ""), now, by, query.get("filter", ""))
    _, _, name = path.partition("/v1beta/")
    if name.startswith("models/"):
        return remote.base(name)
    if path.endswith("/operations"):
        return remote.operations(path.removeprefix("/v1/").removesuffix("/operations"), now, by)
    if path.endswith(":cancel"):
        model, _, operation = path.removeprefix("/v1/").removesuffix(":cancel").partition("/operations/")
        return remote.cancel(model, operation, now, by)
    if path.endswith(":generateContent"):
        return remote.generate(name.removesuffix(":generateContent"), now, by)
    match request.method:
        case "PATCH":
            return remote.patch(name, query.get("updateMask", ""), request.body, now, by)
        case "DELETE":
            return remote.delete(name, now, by)
        case _:
            return remote.get(name, now, by)


class SimTransport(httpx.AsyncBaseTransport):
    """What stands in for sockets below the real httpx client."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One request over the line."""
        body = json.loads(request.content) if request.content else {}
        asked = Request(request.method, request.url.path, dict(request.url.params), body)
        try:
            reply, raw = await self._line.exchange(asked)
        except Broken as broken:
            if broken.how == "connect":
                raise httpx.ConnectError("refused", request=request) from None
            raise httpx.ReadError("reset", request=request) from None
        code, content = (reply.code, json.dumps(reply.body).encode()) if reply else (200, raw)
        return httpx.Response(code, headers={**_QUIET, "date": self._line.date()}, stream=httpx.ByteStream(content))


class DirectRest:
    """The same API without httpx and its bytes: what `controller.rest.Rest` would answer, for speed."""

    endpoint = "http://127.0.0.1:9"
    limits = LIMITS

    def __init__(self, line: Line, until: float = math.inf) -> None:
        """``until`` is a time of the loop: past it nothing is asked any more."""
        self._line = line
        self._until = until

    def within(self, seconds: float) -> DirectRest:
        """This client, with so many seconds from now for all requests together."""
        return DirectRest(self._line, asyncio.get_running_loop().time() + seconds)

    async def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: JSON = None,
        *,
        repeat: Repeat,
        deadline: float | None = None,
    ) -> JSON:
        """The answer's JSON. Raises `ProviderError` as the real one does."""
        asked = Request(method, path, query or {}, body if isinstance(body, dict) else {})
        left = self._until - asyncio.get_running_loop().time()
        if left <= 0:
            raise Transient(f"{self.endpoint}: all requests together took longer than the time allowed")
        try:
            async with asyncio.timeout(min(deadline or self.limits.deadline, left)):
                reply, _ = await self._line.exchange(asked)
        except Broken as broken:
            raise lost("no usable answer", repeat, sent=broken.sent) from None
        except TimeoutError:
            raise lost("no whole answer within the time allowed", repeat, sent=True) from None
        if reply is None:
            raise lost("the answer cannot be read", repeat, sent=True)
        if reply.code == 200:
            return reply.body
        raise _said(reply, repeat)

    async def exchange_for(self, read: Callable[[bytes], T], call: ApiCall) -> Answered[T]:
        """The same with the answer's headers, its body read in another way."""
        value = await self.request(call.method, call.path, call.query, call.body, repeat=call.repeat)
        return Answered(200, {"date": self._line.date()}, read(json.dumps(value).encode()))

    async def close(self) -> None:
        """Nothing is held open."""


_KINDS = {
    400: RejectedKind.INVALID,
    401: RejectedKind.UNAUTHENTICATED,
    403: RejectedKind.FORBIDDEN,
    404: RejectedKind.NOT_FOUND,
    409: RejectedKind.EXISTS,
}


def _said(reply: Reply, repeat: Repeat) -> ProviderError:
    message: Any = reply.body.get("error", {}).get("message", "")
    if reply.code == 429:
        return Transient(str(message), retry_after=3.0, quota=True)
    if reply.code >= 500:
        return lost(str(message), repeat, sent=True)
    kind = _KINDS[reply.code]
    if reply.body.get("error", {}).get("status") == "FAILED_PRECONDITION":
        kind = RejectedKind.PRECONDITION
    return Rejected(str(message).replace(KEY, "***"), kind=kind)

"""The tunedModels wire over real HTTP, from a process of its own that trains nothing: its models are what it was given.

``python -m benches.tuning_api`` prints one JSON line ``{"url": …}`` when it is ready. ``PUT /bench`` sets what the next
measurement finds (``models``: a file of JSON lines, ``delay``: seconds before a change is answered) and starts to
count anew; ``GET /bench`` says how often it was asked what since.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TIME = "2026-01-01T00:00:00Z"
STEPS = 10
BASE = {"name": "models/tiny", "supportedGenerationMethods": ["createTunedModel"]}
Model = dict[str, Any]


def finished(name: str, body: Model) -> Model:
    """The model that a create of this body leads to, its run at its end."""
    asked = body.get("tuningTask", {}).get("hyperparameters", {})
    epochs = int(asked.get("epochCount", 1))
    snapshots = [
        {"step": step, "epoch": -(-step * epochs // STEPS), "meanLoss": 4.0 / step, "computeTime": TIME}
        for step in range(1, STEPS + 1)
    ]
    kept = {key: value for key, value in body.items() if key not in {"tuningTask", "name"}}
    task = {"startTime": TIME, "completeTime": TIME, "snapshots": snapshots, "hyperparameters": asked}
    return {"name": name, **kept, "state": "ACTIVE", "createTime": TIME, "updateTime": TIME, "tuningTask": task}


@dataclass
class Store:
    """The models, encoded, in the order of their creation; what was asked; how many changes were open at once."""

    models: dict[str, bytes] = field(default_factory=dict)
    delay: float = 0.0
    asked: Counter[str] = field(default_factory=Counter)
    now: int = 0
    most: int = 0

    def set(self, models: str | None, delay: float) -> None:
        """Begin anew with the models of a file; None leaves those that are there."""
        if models is not None:
            lines = Path(models).read_bytes().splitlines()
            self.models = {json.loads(line[: line.index(b",")] + b"}")["name"]: line for line in lines}
        self.delay, self.asked, self.now, self.most = delay, Counter(), 0, 0

    def page(self, size: int, first: int) -> bytes:
        """One page of the listing, and the token of the next where there is one."""
        names = list(self.models)
        listed = b",".join(self.models[name] for name in names[first : first + size])
        more = f',"nextPageToken":"{first + size}"' if first + size < len(names) else ""
        return b'{"tunedModels":[' + listed + b"]" + more.encode() + b"}"

    async def change(self) -> None:
        """What a change takes."""
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(self.delay)
        self.now -= 1


def _encoded(value: bytes, status: int = 200) -> Response:
    return Response(value, status, media_type="application/json")


def _refused(status: int, word: str) -> Response:
    return JSONResponse({"error": {"code": status, "message": word.lower(), "status": word}}, status)


def application(store: Store) -> Starlette:
    """The routes on a store."""

    async def listing(request: Request) -> Response:
        store.asked["list"] += 1
        asked = request.query_params
        return _encoded(store.page(int(asked.get("pageSize", 10)), int(asked.get("pageToken", 0))))

    async def create(request: Request) -> Response:
        store.asked["create"] += 1
        name = f"tunedModels/{request.query_params['tunedModelId']}"
        body = await request.json()
        await store.change()
        if name in store.models:
            return _refused(409, "ALREADY_EXISTS")
        store.models[name] = json.dumps(finished(name, body), separators=(",", ":")).encode()
        return JSONResponse({"name": f"{name}/operations/1", "metadata": {"tunedModel": name, "totalSteps": STEPS}})

    async def model(request: Request) -> Response:
        store.asked["get"] += 1
        found = store.models.get(f"tunedModels/{request.path_params['id']}")
        return _encoded(found) if found is not None else _refused(404, "NOT_FOUND")

    async def ask(request: Request) -> Response:
        store.asked["generate"] += 1
        await request.body()
        content = {"role": "model", "parts": [{"text": "1"}]}
        return JSONResponse({"candidates": [{"content": content, "finishReason": "STOP"}]})

    async def operations(request: Request) -> Response:
        store.asked["operations"] += 1
        name = f"tunedModels/{request.path_params['id']}"
        done = {"name": f"{name}/operations/1", "done": True, "metadata": {"tunedModel": name, "totalSteps": STEPS}}
        return JSONResponse({"operations": [done]})

    async def bases(_request: Request) -> Response:
        store.asked["bases"] += 1
        return JSONResponse({"models": [BASE]})

    async def base(_request: Request) -> Response:
        store.asked["base"] += 1
        return JSONResponse(BASE)

    async def bench(request: Request) -> Response:
        if request.method == "PUT":
            said = await request.json()
            store.set(said.get("models"), said.get("delay", 0.0))
        return JSONResponse({"asked": store.asked, "most": store.most, "models": len(store.models)})

    return Starlette(
        routes=[
            Route("/bench", bench, methods=["GET", "PUT"]),
            Route("/v1beta/tunedModels", listing, methods=["GET"]),
            Route("/v1beta/tunedModels", create, methods=["POST"]),
            Route("/v1beta/tunedModels/{id}:generateContent", ask, methods=["POST"]),
            Route("/v1beta/tunedModels/{id}", model, methods=["GET"]),
            Route("/v1/tunedModels/{id}/operations", operations, methods=["GET"]),
            Route("/v1beta/models", bases, methods=["GET"]),
            Route("/v1beta/models/{id}", base, methods=["GET"]),
        ]
    )


@dataclass(frozen=True)
class Served:
    """The address of one that runs."""

    url: str

    def set(self, models: Path | None = None, delay: float = 0.0) -> None:
        """What the next measurement finds; counted from now on."""
        said = {"models": str(models) if models is not None else None, "delay": delay}
        self._call("PUT", json.dumps(said).encode())

    def counts(self) -> dict[str, Any]:
        """What was asked since."""
        return self._call("GET", None)

    @property
    def requests(self) -> int:
        """How many there were since."""
        return sum(self.counts()["asked"].values())

    def models(self) -> list[Model]:
        """All of them, as a listing has them."""
        listed: list[Model] = self._call("GET", None, "/v1beta/tunedModels?pageSize=1000000")["tunedModels"]
        return listed

    def _call(self, method: str, body: bytes | None, path: str = "/bench") -> dict[str, Any]:
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"))
        try:
            connection.request(method, path, body)
            said: dict[str, Any] = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return said


@contextmanager
def serving() -> Iterator[Served]:
    """One, as a process of its own, until the block ends."""
    command = [sys.executable, "-m", "benches.tuning_api"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1])
    try:
        line = process.stdout.readline() if process.stdout is not None else b""
        if not line:
            raise SystemExit("the server of the benchmarks did not start")
        yield Served(json.loads(line)["url"])
    finally:
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def main() -> None:
    """Serve on a free port of loopback until stopped."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen(64)  # whoever reads the line may connect
        print(json.dumps({"url": f"http://127.0.0.1:{bound.getsockname()[1]}"}), flush=True)
        config = uvicorn.Config(application(Store()), log_level="warning", access_log=False, lifespan="off")
        uvicorn.Server(config).run(sockets=[bound])


if __name__ == "__main__":
    main()

"""A tuning API over real HTTP that trains nothing: models are counted, times noted, answers made slow or wrong."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.loopback import answering

STEPS = 10


def _is_question(path: str) -> bool:
    """Whether a model is asked for an answer, which changes nothing."""
    return path.endswith(":generateContent")


@dataclass
class Service:
    """``fault`` sees each request (method, path) and may give a status to answer instead; ``wanted`` is the one key."""

    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    created: Counter[str] = field(default_factory=Counter)
    requests: list[tuple[float, str, str]] = field(default_factory=list)
    fault: Callable[[str, str], int | None] = lambda _method, _path: None
    slow: float = 0.0
    finishes: bool = True
    completed: int = 1  # of a run's STEPS
    url: str = ""
    request_id: str = ""
    wanted: str | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def since(self, moment: float) -> list[tuple[float, str, str]]:
        return [request for request in self.requests if request[0] >= moment]

    @property
    def changes(self) -> list[tuple[float, str, str]]:
        return [request for request in self.requests if request[1] != "GET" and not _is_question(request[2])]

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        route, _, query = path.partition("?")
        name = route.removeprefix("/v1beta/")
        with self.lock:
            if method == "POST" and name == "tunedModels":
                return self._create(query, body)
            if method == "GET" and name == "tunedModels":
                return 200, self._page(query)
            if method == "GET" and name.startswith("models/"):
                return 200, {"name": name, "supportedGenerationMethods": ["createTunedModel"]}
            if method == "GET" and name == "models":
                listed = {"name": "models/tiny", "supportedGenerationMethods": ["createTunedModel"]}
                return 200, {"models": [listed]}
            if method == "GET" and name in self.models:
                return 200, self._shown(self.models[name])
            if method == "GET" and "/operations/" in name:
                return 200, {"name": name, "metadata": {"totalSteps": STEPS, "completedSteps": self.completed}}
            if method == "POST" and _is_question(name) and name.partition(":")[0] in self.models:
                content = {"role": "model", "parts": [{"text": "1"}]}
                return 200, {"candidates": [{"content": content, "finishReason": "STOP"}]}
        return 404, {"error": {"code": 404, "message": "not found", "status": "NOT_FOUND"}}

    def _page(self, query: str) -> dict[str, Any]:
        asked = dict(part.split("=") for part in query.split("&") if "=" in part)
        size, first = int(asked.get("pageSize", 10)), int(asked.get("pageToken", 0))
        listed = list(self.models.values())
        more = {"nextPageToken": str(first + size)} if first + size < len(listed) else {}
        return {"tunedModels": [self._shown(model) for model in listed[first : first + size]], **more}

    def _create(self, query: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        chosen = dict(part.split("=") for part in query.split("&") if "=" in part)["tunedModelId"]
        name = f"tunedModels/{chosen}"
        if name in self.models:
            return 409, {"error": {"code": 409, "message": "exists", "status": "ALREADY_EXISTS"}}
        self.created[name] += 1
        kept = {key: body[key] for key in ("displayName", "description", "baseModel", "tuningTask") if key in body}
        kept["tuningTask"] = {key: value for key, value in body["tuningTask"].items() if key != "trainingData"}
        self.models[name] = kept | {"name": name, "made": time.monotonic()}
        return 200, {"name": f"{name}/operations/1", "metadata": {"tunedModel": name, "totalSteps": STEPS}}

    def _shown(self, model: dict[str, Any]) -> dict[str, Any]:
        done = self.finishes and time.monotonic() - model["made"] > 0.05
        times = {"createTime": "2026-01-01T00:00:00Z", "updateTime": "2026-01-01T00:00:00Z"}
        task = dict(model["tuningTask"])
        last = int(task.get("hyperparameters", {}).get("epochCount", 1)) if done else 1  # its curve is whole at its end
        point = {"step": self.completed, "epoch": last, "meanLoss": 1.5, "computeTime": "2026-01-01T00:00:00Z"}
        task["snapshots"] = [point] if self.completed else []
        shown = {key: value for key, value in model.items() if key != "made"}
        return shown | times | {"state": "ACTIVE" if done else "CREATING", "tuningTask": task}

    @contextmanager
    def running(self) -> Iterator[Service]:
        with answering(_handler(self)) as self.url:
            yield self


def _handler(service: Service) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # headers and body are written apart, and the second would wait 40 ms

        def _answer(self) -> None:
            service.requests.append((time.monotonic(), self.command, self.path))
            body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
            time.sleep(service.slow if self.command != "GET" else 0.0)
            status = service.fault(self.command, self.path)
            if service.wanted is not None and self.headers.get("x-goog-api-key") != service.wanted:
                status = 401
            code, value = (status, {}) if status else service.answer(self.command, self.path, body)
            data = json.dumps(value).encode()
            try:
                self.send_response(code)
                self.send_header("content-type", "application/json")
                self.send_header("x-request-id", service.request_id)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            except OSError:
                self.close_connection = True

        do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - the names are the standard library's

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the standard library's
            """Tests print nothing."""

    return Handler

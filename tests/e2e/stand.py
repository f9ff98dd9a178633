"""A repository, the embedded server behind a proxy that records, and the real command."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.loopback import answering

ROWS = 20


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Proxy:
    """Passes every request on to the server and remembers its method and path."""

    target: str
    requests: list[tuple[str, str]] = field(default_factory=list)
    answered: list[tuple[str, str, int]] = field(default_factory=list)
    url: str = ""

    @property
    def changes(self) -> list[tuple[str, str]]:
        """The requests that ask for a change; a question to a model is none."""
        asked = [(method, path) for method, path in self.requests if method != "GET"]
        return [(method, path) for method, path in asked if ":generateContent" not in path]

    @contextmanager
    def running(self) -> Iterator[Proxy]:
        with answering(_handler(self)) as self.url:
            yield self


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _pass(self) -> None:
            proxy.requests.append((self.command, self.path))
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            goal = urlsplit(proxy.target)
            onward = http.client.HTTPConnection(str(goal.hostname), goal.port, timeout=60)
            try:
                kept = {k: v for k, v in self.headers.items() if k.lower() not in {"host", "connection"}}
                onward.request(self.command, self.path, body, kept)
                answer = onward.getresponse()
                data = answer.read()
                proxy.answered.append((self.command, self.path, answer.status))
                self.send_response(answer.status)
                self.send_header("content-type", answer.getheader("content-type") or "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            except OSError:
                self.close_connection = True
            finally:
                onward.close()

        do_GET = do_POST = do_PATCH = do_DELETE = _pass  # noqa: N815 - the names are the standard library's

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the standard library's
            """Tests print nothing."""

    return Handler


@dataclass
class Server:
    """`gitune serve` on a port of its own; it can be killed and started again on the same data."""

    data: Path
    process: subprocess.Popen[str] | None = None
    url: str = ""
    port: int = 0

    def start(self) -> None:
        words = [sys.executable, "-m", "controller", "serve", "--port", str(self.port), "--data", str(self.data)]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert self.process.stdout is not None
        self.url = json.loads(self.process.stdout.readline())["url"]
        self.port = int(urlsplit(self.url).port or 0)

    def kill(self) -> None:
        """As a power cut would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._close()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)
        self._close()

    def _close(self) -> None:
        if self.process is not None and self.process.stdout is not None:
            self.process.stdout.close()


@dataclass
class Repository:
    """A git repository with specs, and the command run in it."""

    root: Path

    def git(self, *words: str) -> str:
        who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")
        done = subprocess.run(["git", *who, *words], cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def commit(self) -> str:
        """Everything as it now is; the commit's id."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "change")
        return self.git("rev-parse", "HEAD")

    def gitune(self, *words: str, **environ: str) -> Answer:
        command = [sys.executable, "-m", "controller", *words]
        env = {**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(Path(__file__).parents[2]), **environ}
        done = subprocess.run(command, cwd=self.root, env=env, capture_output=True, text=True, timeout=300, check=False)
        return Answer(done.returncode, done.stdout, done.stderr)

    def status(self, name: str = "") -> Any:
        models = self.gitune("status", "-o", "json").json["models"]
        found = [model for model in models if not name or model["name"] == name]
        return found[0] if name else found


def rows(count: int = ROWS, start: int = 1) -> str:
    return "".join(json.dumps({"text_input": f"{n}", "output": f"{n + 1}"}) + "\n" for n in range(start, start + count))


def spec(name: str = "numbers", epochs: int = 2, extra: str = "") -> str:
    return (
        "apiVersion: gitune.dev/v1alpha1\nkind: TunedModel\n"
        f"metadata: {{name: {name}}}\n"
        "spec:\n  baseModel: models/tiny\n  dataset: {path: rows.jsonl}\n"
        f"  hyperparameters: {{epochCount: {epochs}, batchSize: 4, learningRate: 0.003}}\n{extra}"
    )


def settings(url: str) -> str:
    return (
        f'apiVersion: gitune.dev/v1alpha1\nkind: Controller\nproviders:\n  local: {{type: local, endpoint: "{url}"}}\n'
    )

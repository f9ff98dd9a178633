"""The real YAML language server over stdio: a file to the completions and complaints that an editor would show."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

NAME = "yaml-language-server"


def installed() -> str | None:
    """Where it is; None where there is none. ``npm install -g yaml-language-server`` puts it on the PATH."""
    return shutil.which(NAME)


@dataclass
class Editor:
    """One session for a folder."""

    given: IO[bytes]
    answers: IO[bytes]
    _number: int = 0
    _notes: list[dict[str, Any]] = field(default_factory=list)

    def ask(self, method: str, params: dict[str, Any]) -> Any:
        """The result of a request; what is told meanwhile is kept."""
        self._number += 1
        self._send({"id": self._number, "method": method, "params": params})
        while True:
            said = self._read()
            if said.get("id") == self._number and "method" not in said:
                return said.get("result")
            self._handle(said)

    def tell(self, method: str, params: dict[str, Any]) -> None:
        self._send({"method": method, "params": params})

    def open(self, path: Path, text: str) -> list[str]:
        """Show a file as it would be typed; the complaints about it."""
        document = {"uri": path.as_uri(), "languageId": "yaml", "version": 1, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": document})
        while True:
            for note in self._notes:
                if note["method"] == "textDocument/publishDiagnostics" and note["params"]["uri"] == path.as_uri():
                    self._notes.remove(note)
                    return [one["message"] for one in note["params"]["diagnostics"]]
            self._handle(self._read())

    def complete(self, path: Path, line: int, character: int) -> set[str]:
        """The labels that are offered at a place; both count from 0."""
        at = {"textDocument": {"uri": path.as_uri()}, "position": {"line": line, "character": character}}
        found = self.ask("textDocument/completion", at)
        items = found["items"] if isinstance(found, dict) else found
        return {item["label"] for item in items}

    def _handle(self, said: dict[str, Any]) -> None:
        if "id" in said:  # a question of the server: workspace/configuration, client/registerCapability
            items = said.get("params", {}).get("items", []) if said["method"] == "workspace/configuration" else None
            self._send({"id": said["id"], "result": None if items is None else [{} for _ in items]})
        else:
            self._notes.append(said)

    def _send(self, said: dict[str, Any]) -> None:
        data = json.dumps({"jsonrpc": "2.0", **said}).encode()
        self.given.write(b"Content-Length: %d\r\n\r\n" % len(data) + data)
        self.given.flush()

    def _read(self) -> dict[str, Any]:
        length = 0
        while line := self.answers.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if not length:
            raise AssertionError("the language server ended")
        said: dict[str, Any] = json.loads(self.answers.read(length))
        return said


@contextmanager
def editing(server: str, folder: Path) -> Iterator[Editor]:
    """An editor that has a folder open; without network settings, so that it fetches nothing."""
    process = subprocess.Popen(
        [server, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ
    )
    try:
        assert process.stdin
        assert process.stdout
        editor = Editor(process.stdin, process.stdout)
        root = {"uri": folder.as_uri(), "name": folder.name}
        can = {"textDocument": {"completion": {"completionItem": {"snippetSupport": False}}, "publishDiagnostics": {}}}
        editor.ask(
            "initialize",
            {"processId": os.getpid(), "rootUri": folder.as_uri(), "workspaceFolders": [root], "capabilities": can},
        )
        editor.tell("initialized", {})
        settings = {"yaml": {"schemaStore": {"enable": False}, "validate": True, "completion": True}}
        editor.tell("workspace/didChangeConfiguration", {"settings": settings})
        yield editor
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()

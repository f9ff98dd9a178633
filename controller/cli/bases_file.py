"""A YAML file of base models in, the entries that a server is started with out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from os import environ
from pathlib import Path
from typing import Final, NoReturn

from controller.documents import Document, Value, parse
from controller.errors import ControllerError
from controller.server.engines.hf.found import BaseEntry, LoraSettings
from controller.server.runners.port import Needs

_NAME: Final = re.compile(r"models/[a-z0-9][a-z0-9.-]{0,62}")
_REVISION: Final = re.compile(r"[0-9a-f]{40}")
_FIELDS: Final = {"path", "hub", "revision", "lora", "maxLength", "digest", "needs"}
_LORA: Final = {"rank", "alpha", "dropout", "targets"}
_MOST_RANK: Final = 1024


def read_bases(file: Path) -> tuple[BaseEntry, ...]:
    """The base models of a file. Raises `ControllerError` with the place of the first fault."""
    try:
        parsed = parse(file.read_bytes(), str(file))
    except OSError as fault:
        hint = "Give --bases a file that can be read."
        raise ControllerError(f"{file} cannot be read: {fault.strerror}", hint=hint) from fault
    for problem in parsed.problems:
        raise ControllerError(f"{problem.file}:{problem.line}: {problem.message}", hint=problem.hint or "Fix the file.")
    return tuple(entry for document in parsed.documents for entry in _Reader(document, file).entries())


class _Reader:
    """One document being read."""

    def __init__(self, document: Document, file: Path) -> None:
        self._document, self._file = document, file

    def entries(self) -> list[BaseEntry]:
        """One for each key."""
        models = self._mapping(self._document.value, ())
        return [self._entry(name, self._mapping(value, (name,))) for name, value in models.items()]

    def _entry(self, name: str, value: Mapping[str, Value]) -> BaseEntry:
        if not _NAME.fullmatch(name):
            self._fault((name,), f"a base model is called {_NAME.pattern}, not {name}")
        self._known(value, _FIELDS, (name,))
        needs = self._mapping(value.get("needs", {}), (name, "needs"))
        self._known(needs, {"gpus", "nodes"}, (name, "needs"))
        length, digest = value.get("maxLength"), value.get("digest")
        return BaseEntry(
            name=name,
            path=self._path(name, value),
            lora=self._lora(self._mapping(value.get("lora", {}), (name, "lora")), name),
            max_length=None if length is None else self._whole(length, (name, "maxLength"), 1, 2**20),
            needs=Needs(
                gpus=self._whole(needs.get("gpus", 0), (name, "needs", "gpus"), 0, 1024),
                nodes=self._whole(needs.get("nodes", 1), (name, "needs", "nodes"), 1, 1024),
            ),
            digest=None if digest is None else self._text(digest, (name, "digest")),
        )

    def _path(self, name: str, value: Mapping[str, Value]) -> Path:
        """A folder, relative to the file; or the place of a pinned revision in the Hugging Face cache."""
        if ("path" in value) == ("hub" in value):
            self._fault((name,), "give a path, or hub and revision")
        if "path" in value:
            return (self._file.parent / Path(self._text(value["path"], (name, "path"))).expanduser()).absolute()
        hub, revision = (self._text(value.get(key), (name, key)) for key in ("hub", "revision"))
        if not _REVISION.fullmatch(revision):
            self._fault((name, "revision"), "a revision is a whole commit, 40 hexadecimal digits: a branch moves")
        home = Path(environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
        return home / "hub" / f"models--{hub.replace('/', '--')}" / "snapshots" / revision

    def _lora(self, value: Mapping[str, Value], name: str) -> LoraSettings:
        self._known(value, _LORA, (name, "lora"))
        usual = LoraSettings()
        targets = value.get("targets", list(usual.targets))
        if not isinstance(targets, list) or not all(isinstance(one, str) for one in targets):
            self._fault((name, "lora", "targets"), "targets is a list of layer names")
        rank = self._whole(value.get("rank", usual.rank), (name, "lora", "rank"), 1, _MOST_RANK)
        alpha, dropout = value.get("alpha", 2 * rank), value.get("dropout", usual.dropout)
        if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not alpha > 0:
            self._fault((name, "lora", "alpha"), "alpha is a number above 0")
        if isinstance(dropout, bool) or not isinstance(dropout, int | float) or not 0 <= dropout < 1:
            self._fault((name, "lora", "dropout"), "dropout is a number from 0 to below 1")
        return LoraSettings(rank, float(alpha), float(dropout), tuple(str(one) for one in targets))

    def _mapping(self, value: Value, path: tuple[str, ...]) -> Mapping[str, Value]:
        if not isinstance(value, dict):
            self._fault(path, "must be a mapping")
        return value

    def _known(self, value: Mapping[str, Value], names: set[str], path: tuple[str, ...]) -> None:
        for name in value:
            if name not in names:
                self._fault((*path, name), f"there is no {name} here; there is: {', '.join(sorted(names))}")

    def _text(self, value: Value, path: tuple[str, ...]) -> str:
        if not isinstance(value, str) or not value:
            self._fault(path, f"{path[-1]} is a text")
        return value

    def _whole(self, value: Value, path: tuple[str, ...], least: int, most: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self._fault(path, f"{path[-1]} is a whole number from {least} to {most}")
        return value

    def _fault(self, path: tuple[str, ...], message: str) -> NoReturn:
        line = self._document.value_place(path).line
        raise ControllerError(f"{self._file}:{line}: {message}", hint="Fix the file that --bases names.")

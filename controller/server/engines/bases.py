"""Engines in, their base models by name out."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

from controller.server.engines.port import Engine, Speaker
from controller.server.models import SamplingDefaults, TunableModel


class Bases:
    """The base models of a server, each with its engine, and with a speaker from the first question on."""

    def __init__(self, engines: Sequence[Engine]) -> None:
        """Where two engines know one name, the first has it."""
        self._engines = {engine.name: engine for engine in engines}
        self._speakers: dict[str, Speaker] = {}
        self._turn = threading.Lock()

    def __iter__(self) -> Iterator[TunableModel]:
        """All of them."""
        return iter(self._known().values())

    def _known(self) -> dict[str, TunableModel]:
        """Asked for anew each time: what an engine knows may change while the server runs."""
        known: dict[str, TunableModel] = {}
        for base in (base for engine in self._engines.values() for base in engine.bases()):
            known.setdefault(base.name, base)
        return known

    def find(self, name: str) -> TunableModel | None:
        """The base model of this name."""
        return self._known().get(name)

    def sampling(self, name: str) -> SamplingDefaults:
        """What a base model samples with; nothing in it where the model is not here any more."""
        base = self.find(name)
        return SamplingDefaults() if base is None else base.sampling

    def engine(self, base: TunableModel) -> Engine:
        """Who trains it."""
        return self._engines[base.engine]

    def speaker(self, base: TunableModel) -> Speaker:
        """Who answers for the models tuned on it."""
        with self._turn:
            if base.name not in self._speakers:
                self._speakers[base.name] = self.engine(base).speaker(base)
            return self._speakers[base.name]

    def close(self) -> None:
        """Closes speakers and engines."""
        with self._turn:
            for speaker in self._speakers.values():
                speaker.close()
            self._speakers.clear()
        for engine in self._engines.values():
            engine.close()

"""Bounds to uvicorn's connections that keep them: how long a peer may take for each part, and how many there are."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """Bounds of a server's connections, times in seconds.

    ``head`` holds from the connection, or the first byte of a further request, to the end of its head; ``body`` for a
    whole body; ``answer`` while a peer takes nothing of what waits for it; ``idle`` between two requests (whole
    seconds); ``life`` for all of a connection, whatever it is at. Past ``most`` connections the one that has let us
    wait longest goes, else the oldest: a newcomer is answered.
    """

    head: float
    body: float
    answer: float
    idle: int
    life: float | None = None
    most: int = 256


# Uvicorn's own timer ends an idle connection in order; after this much longer it is cut off, sent or not.
_FAREWELL: Final = 5.0
_PATIENCE: Final = 1.0  # seconds in which a peer on a slow line says what it wants
BACKLOG: Final = 128  # taken at once: fewer than a newcomer's request survives while others come after it


class ConnectionStage(StrEnum):
    """What a connection waits for."""

    HEAD = "head"  # of a request
    IDLE = "idle"  # a further request
    BODY = "body"
    ANSWER = "answer"  # the peer is to take what was written
    OURS = "ours"  # we are to answer


def bounded(limits: ConnectionLimits) -> type[H11Protocol]:
    """A protocol for `uvicorn.Config` whose connections are closed at these limits."""

    class Bounded(_Bounded):
        bounds = limits

    return Bounded


class _Bounded(H11Protocol):
    """A connection of a peer that may be slow, silent, or one of many on purpose."""

    bounds: ConnectionLimits
    _stage = ConnectionStage.OURS
    _since = 0.0
    _made = 0.0
    _begun = False
    _timer: asyncio.TimerHandle | None = None
    _end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn narrows it
        super().connection_made(transport)
        if self.bounds.life is not None:
            self._end = self.loop.call_later(self.bounds.life, transport.abort)
        self._made = self.loop.time()
        self._begun = True  # who connects has something to say
        self._settle()
        self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        if self._end is not None:
            self._end.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._begun = True
        super().data_received(data)
        self._settle()

    def on_response_complete(self) -> None:
        self._begun = False
        super().on_response_complete()
        self._settle()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP. An application that is at this request already is told that nobody listens."""
        if self.cycle is not None and not self.cycle.response_complete:  # type: ignore[redundant-expr] # as in _now
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            super().send_400_response(msg)
        else:  # an answer has begun: nothing that follows it would be understood
            self.transport.abort()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._settle()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._settle()

    def _settle(self) -> None:
        """Note what is waited for from now on, and for how long."""
        stage = self._now()
        if stage is self._stage:
            return
        self._stage, self._since = stage, self.loop.time()
        self._stop_timer()
        match stage:
            case ConnectionStage.HEAD:
                seconds = self.bounds.head
            case ConnectionStage.BODY:
                seconds = self.bounds.body
            case ConnectionStage.ANSWER:
                seconds = self.bounds.answer
            case ConnectionStage.IDLE:
                seconds = self.bounds.idle + _FAREWELL
            case ConnectionStage.OURS:
                return
        self._timer = self.loop.call_later(seconds, self.transport.abort)

    def _now(self) -> ConnectionStage:
        if self.flow.write_paused:
            return ConnectionStage.ANSWER
        if self.cycle is None or self.cycle.response_complete:  # type: ignore[redundant-expr] # None before the first
            return ConnectionStage.HEAD if self._begun else ConnectionStage.IDLE
        return ConnectionStage.BODY if self.cycle.more_body else ConnectionStage.OURS

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _make_room(self) -> None:
        if len(self.connections) <= self.bounds.most:
            return
        others = [one for one in self.connections if isinstance(one, _Bounded) and one is not self]
        victim = max(others, key=lambda one: one.claim(self.loop.time()), default=self)
        self.connections.discard(victim)
        victim.transport.abort()

    def claim(self, now: float) -> tuple[float, float]:
        """How much this one is to go: by how long it lets us wait, else, where that is no time yet, by its age.

        So whoever has just come is answered, also among peers that ask without end.
        """
        waited = 0.0 if self._stage is ConnectionStage.OURS else now - self._since
        return (waited if waited > _PATIENCE else 0.0), now - self._made

"""A stretch of work with a name to whoever times such stretches: nobody, unless a daemon was asked to.

The rooms that touch the world open one around each thing that takes time. What is told of it are words and numbers
that hold no secret, no row and no text of a spec. Without a listener a span costs one look-up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol

Fact = str | int | float | bool


class Span(Protocol):
    """One stretch while it lasts."""

    def tell(self, **facts: Fact) -> None:
        """What came out."""
        ...


Tracer = Callable[[str, Mapping[str, Fact]], AbstractContextManager[Span]]


class _Silent:
    """A span that nobody listens to."""

    def tell(self, **facts: Fact) -> None:
        """Nothing."""

    def __enter__(self) -> Span:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Nothing."""


SILENT: AbstractContextManager[Span] = _Silent()


class _Listening:
    """Who listens in this process."""

    def __init__(self) -> None:
        self.tracer: Tracer | None = None


_listening = _Listening()


def span(name: str, /, **facts: Fact) -> AbstractContextManager[Span]:
    """To be entered around a stretch of work; one that is entered inside of another is its child."""
    return SILENT if _listening.tracer is None else _listening.tracer(name, facts)


def listen(tracer: Tracer | None) -> None:
    """Hand every span to this tracer from now on, or (None) to nobody."""
    _listening.tracer = tracer

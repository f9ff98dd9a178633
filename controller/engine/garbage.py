"""A block that makes many values to the same one in half the time, without a search for garbage among them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collections() -> Iterator[None]:
    """Values are made here by the ten thousand, and none of them is garbage: looking for some would double the time.

    Until the next tree is read nobody looks among them.
    """
    if not gc.isenabled():
        yield
        return
    gc.unfreeze()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()

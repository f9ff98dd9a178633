"""What a disk or a system refuses for the moment in, a refusal in words out."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# Errors of the system that pass by themselves, or when somebody makes room.
PASSING: Final = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
)
RETRY_EVERY: Final = 1.0  # seconds between tries while the disk refuses
NO_ROOM: Final = "The disk of the data folder is full."
NO_WRITE: Final = (
    "The data folder cannot be written: a quota or a limit of file sizes is used up, "
    "or the disk is read-only or failing."
)


class StoreUnusable(Exception):
    """The disk refuses for the moment, and nothing was changed; the same may work later.

    ``exhausted`` is True where there is too little of something: room, quota, open files.
    """

    def __init__(self, message: str, *, exhausted: bool) -> None:
        super().__init__(message)
        self.exhausted = exhausted


@contextmanager
def room_needed() -> Iterator[None]:
    """Turns what the system refuses for now into `StoreUnusable`; any other `OSError` goes on as it is."""
    try:
        yield
    except OSError as fault:
        if fault.errno == errno.EROFS:
            raise StoreUnusable("The data folder cannot be written: it is read-only.", exhausted=False) from fault
        if fault.errno not in PASSING:
            raise
        raise StoreUnusable(_words(fault), exhausted=True) from fault


def _words(fault: OSError) -> str:
    match fault.errno:
        case errno.ENOSPC:
            return NO_ROOM
        case errno.EDQUOT | errno.EFBIG:
            return NO_WRITE
        case _:
            return f"The system refuses: {fault.strerror}."

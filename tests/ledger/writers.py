"""A process that adds records to a ledger one at a time, reading again whenever somebody else was faster.

It says ``ready`` and begins when it is told to, so that two of them meet.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from controller.errors import RevisionConflict
from controller.ledger.opening import open_ledger
from controller.settings import LedgerSettings
from tests.ledger.records import counted, now


async def write(root: Path, home: Path, name: str, times: int, settings: LedgerSettings) -> int:
    """How often a save was lost and done again."""
    ledger = open_ledger(settings, root, home, now, os.environ)
    lost = done = 0
    while done < times:
        recorded = await ledger.load()
        record = counted(f"{name}-{done}", done)
        try:
            await ledger.save({**recorded.records, record.name: record}, recorded.tip, f"{name} {done}")
        except RevisionConflict:
            lost += 1
        else:
            done += 1
    return lost


if __name__ == "__main__":
    root, home, name, times, directory = sys.argv[1:6]
    chosen = LedgerSettings(directory=directory or None)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    sys.stdout.write(str(asyncio.run(write(Path(root), Path(home), name, int(times), chosen))))

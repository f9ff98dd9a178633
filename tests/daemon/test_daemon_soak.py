"""Many passes with faults mixed in leave descriptors, children and tasks where they were, and memory flat."""

import os
import re
import signal
import time
from functools import partial
from statistics import median

import pytest

from tests.daemon.conftest import Yard
from tests.daemon.process import Running

PASSES = int(os.environ.get("GITUNE_TEST_PASSES", "100"))
WARM = 30

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120 + 3 * PASSES)]


class Faults:
    """Every so many requests one is answered badly; listings, creates and all else alike."""

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, _method: str, _path: str) -> int | None:
        self.seen += 1
        if self.seen % 17 == 0:
            return (500, 503, 429, 404)[self.seen // 17 % 4]
        return None


def passes(daemon: Running) -> int:
    """How many looks came to their end, those that found nothing new included."""
    text = daemon.get("/metrics")[1]
    return int(sum(map(float, re.findall(r"gitune_pass_duration_seconds_count\{[^}]*\} (\S+)", text))))


def more_passes(daemon: Running, known: int) -> bool:
    return daemon.passes() > known


def test_passes_with_faults_leave_nothing_open(yard: Yard) -> None:
    yard.service.fault = Faults()
    with yard.daemon("--listen", "127.0.0.1:0", "--interval", "1") as daemon:
        number = 0
        done = passes(daemon)
        held: list[tuple[int, int, int]] = []
        while done < PASSES:
            number += 1
            if number % 10 == 0:
                yard.commit(f"m{number % 7}", epochs=2 + number % 3)
                time.sleep(0.6)
            else:  # everything is closed and opened anew
                known = daemon.passes()
                daemon.process.send_signal(signal.SIGHUP)
                daemon.wait(partial(more_passes, daemon, known))
            done = passes(daemon)
            if done >= WARM:
                held.append((daemon.descriptors, len(daemon.children), daemon.kilobytes))
            if number % 200 == 0:
                print(f"{done} passes: {held[-1] if held else ''}")
        assert daemon.end() < 10.0
    quarter = len(held) // 4 or 1
    # In the middle of a pass some are open; what was not closed again moves the median, too.
    early, late = ([median(column) for column in zip(*part, strict=True)] for part in (held[:quarter], held[-quarter:]))
    print(f"{done} passes, {number} nudges: median of descriptors, children, kB: {early} early, {late} late")
    assert late[0] <= early[0] + 4
    assert late[1] <= early[1] + 1
    assert late[2] <= early[2] * 1.1 + 4096
    assert "Traceback" not in "".join(daemon.lines)
    assert set(yard.service.created.values()) == {1}

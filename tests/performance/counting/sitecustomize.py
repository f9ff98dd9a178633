"""The run of a Python program to how often it did what: written to ``$COUNTED`` at its end, and at SIGUSR2.

Python imports this by itself where its folder is on PYTHONPATH, so that nothing in the program knows of it. Counted are
the calls of every Python function, in every thread, and every process that is started.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import sys
import threading
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

calls: Counter[CodeType] = Counter()
started: list[str] = []


def _count(frame: FrameType, event: str, _argument: Any) -> None:
    if event == "call":
        calls[frame.f_code] += 1


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen":
        started.append(" ".join(map(str, arguments[1])))
    elif event in {"os.fork", "os.forkpty", "os.posix_spawn", "os.system"}:
        started.append(event)


def _copied() -> dict[CodeType, int]:
    """The calls so far. A collection of garbage in the middle would call, and so count."""
    gc.disable()
    copy = dict(calls)
    gc.enable()
    return copy


def _doors(counted: dict[CodeType, int]) -> int:
    """How many documents were read: calls of what the one room that knows YAML gives to others, writing apart."""
    room: Any = sys.modules.get("controller.documents")
    doors = [getattr(room, name) for name in getattr(room, "__all__", ()) if not name.startswith("dump")]
    return sum(counted.get(door.__code__, 0) for door in doors if hasattr(door, "__code__"))


def _tell(*_signal: Any) -> None:
    counted = _copied()
    folder = os.sep + "controller" + os.sep
    ours: Counter[str] = Counter()
    for code, count in counted.items():
        _, found, file = code.co_filename.rpartition(folder)
        if found:
            ours[f"{file}:{code.co_qualname if hasattr(code, 'co_qualname') else code.co_name}"] += count
    told = {"calls": ours, "documents": _doors(counted), "processes": started, "modules": sorted(sys.modules)}
    goal = Path(os.environ["COUNTED"])
    half = goal.with_suffix(".half")
    half.write_text(json.dumps(told))
    half.rename(goal)


if "COUNTED" in os.environ:
    signal.signal(signal.SIGUSR2, _tell)
    atexit.register(_tell)
    sys.addaudithook(_hear)
    threading.setprofile(_count)
    sys.setprofile(_count)

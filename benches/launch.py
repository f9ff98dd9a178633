"""A command to what it and all that it started spent, as one line of JSON: run by itself, so that it is small.

A process inherits the peak memory of the one that started it; the benchmark itself, which has built a case of thousands
of files, would show in every figure. What a command leaves running is stopped, waited for and counted.
"""

import ctypes
import json
import os
import resource
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36


def started(words: list[str]) -> int:
    """The process id of the command."""
    child = os.fork()
    if child == 0:
        try:
            os.execvp(words[0], words)  # noqa: S606 - the command is ours
        except OSError as error:
            sys.stderr.write(f"{words[0]}: {error}\n")
        os._exit(127)
    return child


def left() -> list[int]:
    """What is still there of all that it started."""
    me = os.getpid()
    with open(f"/proc/self/task/{me}/children") as children:  # noqa: PTH123 - pathlib would be a third of its memory
        return [int(child) for child in children.read().split()]


def reaped(spent: list[resource.struct_rusage]) -> int:
    """How many processes outlived the command; all of them have ended and are counted."""
    outlived = left()
    for child in outlived:
        os.kill(child, signal.SIGTERM)
    while True:
        try:
            spent.append(os.wait4(-1, 0)[2])
        except ChildProcessError:
            return len(outlived)


def main() -> None:
    """``launch.py RESULT WORD…``: the result is a file, since the streams are the command's."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    began = time.monotonic()
    _, status, first = os.wait4(started(sys.argv[2:]), 0)
    wall = time.monotonic() - began
    spent = [first]
    outlived = reaped(spent)
    told = {
        "code": os.waitstatus_to_exitcode(status),
        "wall": wall,
        "user": sum(one.ru_utime for one in spent),
        "system": sum(one.ru_stime for one in spent),
        "kilobytes": max(one.ru_maxrss for one in spent),
        "outlived": outlived,
    }
    with open(sys.argv[1], "w") as result:  # noqa: PTH123 - as above
        json.dump(told, result)


if __name__ == "__main__":
    main()

"""Models that loop to the limit of 256 bytes to the seconds of an answer, and of what else is asked meanwhile.

``python benches/embedded_answers.py [TIMES]``. A real server as a process of its own, over HTTP; its two models have
learned to repeat one letter, so that their answers end at the limit. Measured: an answer alone, and, while eight
clients ask the first model without pause, an answer of the second model, a get, and a list.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.server.served import Served, tuned

TIMES = int(sys.argv[1]) if len(sys.argv) > 1 else 10
CLIENTS = 8


def looping(served: Served, name: str) -> None:
    """A model whose answer to ``a`` is as long as answers may be."""
    body = tuned(epochCount=60)
    body["tuningTask"]["trainingData"]["examples"]["examples"] = [{"textInput": "a", "output": "x" * 256}] * 4
    served.wait(served.create(name, body), 300)


def asked(served: Served, name: str) -> None:
    """One answer, as long as can be."""
    drawn = served.ask(name, "a").body["usageMetadata"]["candidatesTokenCount"]
    if drawn != 256:
        raise SystemExit(f"the model was to loop, and its answer has {drawn} bytes")


def took(act: Callable[[], object], times: int) -> str:
    """Median and worst, in milliseconds."""
    found = []
    for _ in range(times):
        begun = time.monotonic()
        act()
        found.append((time.monotonic() - begun) * 1000)
    return f"median {statistics.median(found):8.1f} ms   worst {max(found):8.1f} ms"


def main() -> None:
    """Prints the figures."""
    with tempfile.TemporaryDirectory() as folder:
        served = Served(Path(folder) / "data").start()
        try:
            looping(served, "one")
            looping(served, "two")
            print("an answer alone         ", took(lambda: asked(served, "one"), TIMES))
            over = Event()

            def busy() -> None:
                while not over.is_set():
                    served.ask("one", "a", maxOutputTokens=256)

            with ThreadPoolExecutor(CLIENTS) as pool:
                for _ in range(CLIENTS):
                    pool.submit(busy)
                time.sleep(0.5)
                try:
                    print("the other model, beside ", took(lambda: asked(served, "two"), TIMES))
                    print("a get, beside           ", took(lambda: served.model("two"), TIMES))
                    print("a list, beside          ", took(lambda: served.call("GET", "/v1beta/tunedModels"), TIMES))
                finally:
                    over.set()
        finally:
            served.stop()


if __name__ == "__main__":
    main()

"""Rows of a dataset to the rows that are read, and read, checked and digested, in a second, by form."""

from __future__ import annotations

import csv
import io
import json
import statistics
import sys
import time
from collections.abc import Callable

from controller.dataset import Layout, Rules, load
from controller.dataset.reading import Reading
from controller.providers.gemini.facts import FACTS

LIMITS = FACTS.examples

ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
TIMES = 7


def written() -> dict[str, bytes]:
    """The same rows in each form."""
    rows = [
        {"text_input": f"question: what is {i}? context: row {i}", "output": f"answer {i % 9}"} for i in range(ROWS)
    ]
    table = io.StringIO()
    sheet = csv.DictWriter(table, ["text_input", "output"])
    sheet.writeheader()
    sheet.writerows(rows)
    lines = "\n".join(json.dumps(row) for row in rows)
    return {"a.jsonl": lines.encode(), "a.json": json.dumps(rows).encode(), "a.csv": table.getvalue().encode()}


def rate(act: Callable[[], object]) -> str:
    """Rows a second of processor time: the median."""
    took = []
    for _ in range(TIMES):
        began = time.process_time()
        act()
        took.append(time.process_time() - began)
    return f"{ROWS / statistics.median(took):,.0f}"


def main() -> None:
    """One line a form."""
    rules = Rules(LIMITS, task_type="classification")
    for file, data in written().items():
        stages = {
            "read": rate(lambda data=data, file=file: list(Reading(lambda: [data], file, Layout()))),
            "loaded": rate(lambda data=data, file=file: load(lambda: [data], file, Layout(), rules)),
        }
        print(f"{file}: " + ", ".join(f"{many} rows {stage}" for stage, many in stages.items()), "a second", flush=True)


if __name__ == "__main__":
    main()

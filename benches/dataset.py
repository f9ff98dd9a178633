"""Files of rows to what validating the spec that names them takes: all checks, duplicates and the fingerprint."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from benches import peers
from benches.bench import FLOOR, Bench, floor, told
from benches.case import spec
from benches.measure import GITUNE, OURS, Comparison, Measured, Program, Wrong, in_turns

ROW = 1000  # bytes
SMALL = 4_000_000
LARGE = 1_000_000_000
_FILLER = "the quick brown fox jumps over the lazy dog and says so "


def rows(count: int) -> Iterator[dict[str, str]]:
    """Rows of which no two are alike; as JSON lines each has `ROW` bytes."""
    bare = len(json.dumps({"text_input": "0" * 9 + " ", "output": "answer 0"})) + 1
    filler = (_FILLER * (ROW // len(_FILLER) + 1))[: ROW - bare]
    for number in range(count):
        yield {"text_input": f"{number:09} {filler}", "output": f"answer {number % 9}"}


def measured(bench: Bench) -> Iterator[Comparison]:
    """4 MB in each form, and 1 GB of JSON lines."""
    small, large = (200_000, 2_000_000) if bench.quick else (SMALL, LARGE)
    for form in ("jsonl", "json", "csv"):
        yield _compared(bench, form, small, bench.times)
    yield _compared(bench, "jsonl", large, min(bench.times, 3))


def _compared(bench: Bench, form: str, size: int, times: int) -> Comparison:
    folder = bench.scratch / f"rows-{form}-{size}"
    told(f"writing {size / 1e6:g} MB of {form}")
    data = _written(folder, form, size // ROW)
    megabytes = -(-data.stat().st_size // 1_000_000)
    ours = Program(OURS, (GITUNE, "validate"), folder, {"GITUNE_HOME": str(folder / "home")}, megabytes)
    programs = [ours]
    if form == "jsonl":
        programs.append(floor(FLOOR, folder, "rows", str(data), items=megabytes))
        programs.extend(_dvc(bench, data, megabytes))
    try:
        found = in_turns(programs, times)
    except Wrong as error:
        told(f"left out: {error}")
        found = (Measured("gitune: refused", megabytes, ()), *in_turns(programs[1:], times))
    counts = {f"MB a CPU second, {one.name}": megabytes / one.cpu for one in found if one.samples}
    shutil.rmtree(folder)
    return Comparison("dataset", f"validate, {form}, MB", megabytes, found, counts)


def _written(folder: Path, form: str, count: int) -> Path:
    """A folder outside git with one spec and its dataset; the path of that."""
    (folder / "specs" / "000").mkdir(parents=True)
    (folder / "datasets").mkdir()
    data = folder / "datasets" / f"rows-000000.{form}"
    (folder / "specs" / "000" / "model.yaml").write_text(spec(0).replace(".jsonl", f".{form}"))
    with data.open("w", encoding="utf-8") as file:
        if form == "jsonl":
            file.writelines(json.dumps(row) + "\n" for row in rows(count))
        elif form == "json":
            json.dump(list(rows(count)), file)
        else:
            table = io.StringIO()
            sheet = csv.DictWriter(table, ["text_input", "output"])
            sheet.writeheader()
            sheet.writerows(rows(count))
            file.write(table.getvalue())
    return data


def _dvc(bench: Bench, data: Path, megabytes: int) -> Iterator[Program]:
    """A dvc that has not seen the file: it reads it and digests it, and checks nothing."""
    dvc = bench.peer("dvc")
    if dvc is None:
        return
    folder = data.parents[1] / "dvc"
    peers.dvc_repository(folder, Path(dvc))
    peers.dvc_track(folder, "rows.jsonl", data)
    site = folder / ".dvc" / "site"
    environ = {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(site)}

    def forget() -> None:
        shutil.rmtree(site, ignore_errors=True)
        shutil.rmtree(folder / ".dvc" / "tmp", ignore_errors=True)

    yield Program("dvc status, file unknown", (dvc, "status"), folder, environ, megabytes, before=forget)

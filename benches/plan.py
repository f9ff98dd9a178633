"""Models that all exist to what a plan and an apply of them take: with nothing kept, kept, and one spec changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from benches import peers
from benches.bench import FLOOR, Bench, floor
from benches.case import TOGETHER, Case, dataset
from benches.measure import Comparison, Program, Wrong, in_turns, run


def measured(bench: Bench) -> Iterator[Comparison]:
    """Plan and apply at each size; once more where every spec has a dataset of its own."""
    for size in bench.sizes:
        case = bench.case(size)
        yield from _plans(bench, case)
        yield from _applies(bench, case)
    middle = min(bench.largest, 1000)
    yield _compared(bench, bench.case(middle, together=1), "plan, cold, a dataset each")


def _plans(bench: Bench, case: Case) -> Iterator[Comparison]:
    yield _compared(bench, case, "plan, cold")
    warm = case.program("plan", before=case.restore, check=_says("unchanged"), kept=True)
    yield Comparison("plan", "plan, warm", case.size, in_turns((warm, *_floors(case)), bench.times))
    changed = case.program("plan", before=case.changed, check=_says("1 to re-tune"))
    yield Comparison("plan", "plan, one spec changed", case.size, in_turns((changed,), bench.times))


def _compared(bench: Bench, case: Case, name: str) -> Comparison:
    cold = case.program("plan", before=case.forget, check=_says("unchanged"))
    programs = (cold, *_floors(case)[:1], *_peers(bench, case))
    return Comparison("plan", name, case.size, in_turns(programs, bench.times))


def _applies(bench: Bench, case: Case) -> Iterator[Comparison]:
    def whole(said: str) -> None:
        _says("unchanged")(said)
        case.at_rest()

    cold = case.program("apply", before=case.forget, check=whole)
    yield Comparison("plan", "apply, cold", case.size, in_turns((cold,), bench.times))
    warm = case.program("apply", before=case.restore, check=whole, kept=True)
    yield Comparison("plan", "apply, warm", case.size, in_turns((warm,), bench.times))
    changed = case.program("apply", before=case.changed, check=_says("1 re-tuned"))
    yield Comparison("plan", "apply, one spec changed", case.size, in_turns((changed,), bench.times))
    case.restore()


def _tracked(folder: Path, dvc: Path, size: int) -> None:
    """As many files of rows as there are models, in folders of a hundred."""
    peers.dvc_repository(folder, dvc)
    data = folder.with_name("rows.jsonl")
    for number in range(size):
        data.write_text(dataset(number))
        peers.dvc_track(folder, f"{number // TOGETHER:03}/rows-{number:06}.jsonl", data)
        data.unlink()


def _says(word: str) -> Callable[[str], None]:
    def check(said: str) -> None:
        if word not in said[-400:]:
            raise Wrong(f"expected {word!r}, and it said: {said[-400:]}")

    return check


def _floors(case: Case) -> tuple[Program, ...]:
    kept = case.home.with_name("kept.json")
    root, url = str(case.root), case.served.url
    if not kept.exists():
        run(floor("keep", case.root, "keep", root, str(kept), before=case.restore))
    return (
        floor(FLOOR, case.root, "plan", root, url, items=case.size, before=case.restore),
        floor("floor, files known", case.root, "known", root, url, str(kept), items=case.size, before=case.restore),
    )


def _peers(bench: Bench, case: Case) -> Iterator[Program]:
    octodns, dvc = bench.peer("octodns-sync"), bench.peer("dvc")
    folder = case.home.with_name("peers")
    if octodns is None or dvc is None:
        return
    folder.mkdir(exist_ok=True)
    config = folder / "octodns" / "config.yaml"
    if not config.exists():
        peers.octodns_zones(config.parent, case.size)
        _tracked(folder / "dvc", Path(dvc), case.size)
    words = (octodns, "--quiet", "--config-file", str(config))
    yield Program("octodns-sync", words, folder, items=case.size)
    yield Program("dvc status", (dvc, "status"), folder / "dvc", {"DVC_NO_ANALYTICS": "1"}, case.size)

"""Words of a command line to benchmarks that are run, printed, and saved for the page: ``python -m benches plan``."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from benches import creates, dataset, figures, idle, ledger, listing, plan, report, settings, start, validate
from benches.bench import Bench
from benches.measure import Comparison
from benches.tuning_api import serving

BENCHES: dict[str, Callable[[Bench], Iterator[Comparison]]] = {
    "plan": plan.measured,
    "validate": validate.measured,
    "start": start.measured,
    "listing": listing.measured,
    "dataset": dataset.measured,
    "creates": creates.measured,
    "ledger": ledger.measured,
    "idle": idle.measured,
    "settings": settings.measured,
}
SIZES = (1, 1000, 10_000)
QUICK = (1, 50)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("benches", description="What Gitune spends, beside its peers and a floor.")
    parser.add_argument("bench", choices=(*BENCHES, "all", "report"), nargs="+")
    parser.add_argument("--quick", action="store_true", help="small cases, once each: whether it runs at all")
    parser.add_argument("--sizes", help="numbers of models, as 1,1000,10000")
    parser.add_argument("--times", type=int, help="how often each program runs (5)")
    parser.add_argument("--no-peers", action="store_true", help="install and run nothing of others")
    parser.add_argument("--save", choices=(report.BEFORE, report.NOW), help="keep the results for the page")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.add_argument("--scratch", type=Path, help="an empty folder for the cases, kept afterwards")
    return parser.parse_args()


def run(names: Iterable[str], bench: Bench, kept: str | None, *, printed: bool) -> list[Comparison]:
    """These benchmarks, one after the other, each figure printed as soon as there is one."""
    comparisons = []
    for name in names:
        for comparison in BENCHES[name](bench):
            comparisons.append(comparison)
            if printed:
                print("\n".join(figures.lines(comparison)), flush=True)
            if kept is not None:
                report.save(kept, [comparison])
    return comparisons


def main() -> None:
    """Runs what was asked for."""
    said = _arguments()
    names = [name for name in BENCHES if name in said.bench or "all" in said.bench]
    sizes = tuple(int(size) for size in said.sizes.split(",")) if said.sizes else QUICK if said.quick else SIZES
    with tempfile.TemporaryDirectory(prefix="gitune-bench-") as folder, serving() as served:
        scratch = said.scratch or Path(folder)
        scratch.mkdir(parents=True, exist_ok=True)
        bench = Bench(scratch, served, said.times or (1 if said.quick else 5), sizes, said.quick, not said.no_peers)
        comparisons = run(names, bench, said.save, printed=said.output == "text")
    if "report" in said.bench:
        report.write()
    if said.output == "json":
        print(json.dumps(figures.written(comparisons), indent=1))


if __name__ == "__main__":
    main()

"""Saved results to the table of docs/performance.md; what is measured again takes the place of what was."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from benches import figures
from benches.measure import Comparison, Measured

RESULTS = Path(__file__).with_name("results")
PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
BEFORE, NOW = "before", "now"
_BEGIN, _END = "<!-- results: written by `python -m benches report` -->\n", "<!-- end of results -->\n"
_HEAD = (
    "| case | of | before, CPU s | now, CPU s | MB | beside it, CPU s (ours to it) |\n|---|---:|---:|---:|---:|---|\n"
)

Key = tuple[str, str, int]


def key(comparison: Comparison) -> Key:
    """What makes two comparisons the same case."""
    return comparison.bench, comparison.case, comparison.size


def saved(name: str) -> tuple[Comparison, ...]:
    """What was saved under a name; nothing where there is none."""
    path = RESULTS / f"{name}.json"
    return figures.read(json.loads(path.read_text())) if path.exists() else ()


def machines() -> str:
    """What the figures were taken on."""
    said = {}
    for name in (BEFORE, NOW):
        path = RESULTS / f"{name}.json"
        if path.exists():
            taken = json.loads(path.read_text())["machine"]
            said[name] = f"Python {taken['python']} on {taken['cores']} cores, {taken['processor']}"
    return "".join(f"{name.capitalize()}: {what}.\n" for name, what in said.items())


def save(name: str, comparisons: Iterable[Comparison]) -> None:
    """Keep results under a name, those of other cases as they are."""
    RESULTS.mkdir(exist_ok=True)
    kept = {key(one): one for one in (*saved(name), *comparisons)}
    (RESULTS / f"{name}.json").write_text(json.dumps(figures.written(kept.values()), indent=1) + "\n")


def write() -> None:
    """The table into the page."""
    PAGE.write_text(page(PAGE.read_text()))


def page(text: str) -> str:
    """The page with the table of what is saved."""
    head, _, rest = text.partition(_BEGIN)
    return head + _BEGIN + f"\n{machines()}\n{table(saved(BEFORE), saved(NOW))}\n" + _END + rest.partition(_END)[2]


def table(before: Sequence[Comparison], now: Sequence[Comparison]) -> str:
    """Every case that was measured, in the order of the benchmarks, the newest figures beside the old ones."""
    old, new = ({key(one): one for one in side} for side in (before, now))
    keys = list(dict.fromkeys([*old, *new]))
    order = {bench: at for at, bench in enumerate(dict.fromkeys(bench for bench, _, _ in keys))}
    keys.sort(key=lambda k: order[k[0]])
    return _HEAD + "".join(f"| {' | '.join(_cells(k, old, new))} |\n" for k in keys)


def _cells(at: Key, old: Mapping[Key, Comparison], new: Mapping[Key, Comparison]) -> Iterator[str]:
    shown = new.get(at) or old[at]
    ours = shown.measured[0]
    yield at[1]
    yield f"{at[2]:,}"
    yield _spent(old.get(at))
    yield _spent(new.get(at))
    yield f"{ours.memory:.0f}" if ours.samples else ""
    beside = [f"{one.name} {one.cpu:.3f}" + _ratio(shown, one) for one in shown.measured[1:]]
    beside += [f"{what} {figure:,.4g}" for what, figure in shown.counts.items()]
    yield "; ".join(beside)


def _spent(comparison: Comparison | None) -> str:
    if comparison is None:
        return ""
    ours: Measured = comparison.measured[0]
    if not ours.samples:
        return "refused"
    least, most = ours.spread
    return f"{ours.cpu:.3f} ({least:.3f}–{most:.3f})"


def _ratio(comparison: Comparison, other: Measured) -> str:
    return f" ({comparison.ratio(other):.2f})" if comparison.measured[0].samples else ""

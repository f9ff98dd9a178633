"""Results of benchmarks to the table of the page; the page shows what was saved."""

from __future__ import annotations

import json

from benches import figures, report
from benches.measure import Comparison, Measured, Sample


def comparison(cpu: float, *others: Measured, size: int = 1000) -> Comparison:
    ours = Measured(
        "gitune", size, (Sample(cpu, 2 * cpu, 80.0), Sample(cpu + 1, 2 * cpu, 90.0), Sample(9.0, 9.0, 70.0))
    )
    return Comparison("plan", "plan, cold", size, (ours, *others), {"pages": 1})


def test_the_page_shows_what_was_saved() -> None:
    text = report.PAGE.read_text("utf-8")

    assert report.page(text) == text


def test_a_case_stands_in_one_row_with_what_it_took_before_and_takes_now() -> None:
    floor = Measured("floor", 1000, (Sample(0.5, 0.5, 20.0),))

    table = report.table([comparison(6.0)], [comparison(1.0, floor)])

    assert table.splitlines()[2:] == [
        "| plan, cold | 1,000 | 7.000 (6.000–9.000) | 2.000 (1.000–9.000) | 90 | floor 0.500 (4.00); pages 1 |"
    ]


def test_a_ratio_is_that_of_as_many_items() -> None:
    peer = Measured("peer", 100, (Sample(1.0, 1.0, 1.0),))

    assert comparison(1.0, peer).ratio(peer) == 0.2


def test_a_program_that_refused_has_no_figures() -> None:
    refused = Comparison("dataset", "validate", 1000, (Measured("gitune", 1000, ()),))

    assert "refused" in report.table([refused], [])


def test_what_is_written_is_read_back() -> None:
    written = json.loads(json.dumps(figures.written([comparison(1.0)])))

    assert figures.read(written) == (comparison(1.0),)

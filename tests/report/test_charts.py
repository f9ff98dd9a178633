"""Loss curves: what the pictures and tables of a run hold, and what they do with odd runs."""

import csv
import io
import math
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.report.charts import Scale, curve_csv, curve_svg, curve_text, epoch_means, loss_scale, sparkline, ticks
from controller.state.observed import LossPoint
from controller.state.recorded import Run

Golden = Callable[[str, str], None]
NAN = math.nan

points = st.lists(
    st.builds(
        LossPoint,
        step=st.integers(0, 10**6),
        epoch=st.integers(0, 50),
        mean_loss=st.floats(allow_nan=True, allow_infinity=True, width=32),
    ),
    max_size=60,
).map(lambda found: tuple(sorted(found, key=lambda p: p.step)))


def one(*values: float) -> tuple[LossPoint, ...]:
    return tuple(LossPoint(n + 1, 1, value) for n, value in enumerate(values))


def test_the_picture_of_a_run(run: Run, golden: Golden) -> None:
    golden("curve.svg", curve_svg(run))


def test_the_numbers_of_a_run(run: Run, golden: Golden) -> None:
    golden("curve.csv", curve_csv(replace(run, losses=run.losses[:12])))


def test_the_curve_in_a_terminal(losses: tuple[LossPoint, ...], golden: Golden) -> None:
    golden("curve.txt", "\n".join((*curve_text(losses, epochs=4), "", *curve_text(losses, 40, 6, epochs=4), "")))


def test_a_picture_asks_for_nothing_outside_itself_and_follows_the_scheme(run: Run) -> None:
    drawing = curve_svg(run)
    assert "prefers-color-scheme: dark" in drawing
    assert drawing.count("http") == 1  # the namespace, which nobody fetches
    assert "href" not in drawing
    assert "<script" not in drawing


def test_a_run_without_losses_says_so(run: Run) -> None:
    empty = replace(run, losses=())
    assert "no losses reported yet" in curve_svg(empty)
    assert curve_text(()) == ()
    assert sparkline(()) == ""
    assert curve_csv(empty) == "step,epoch,mean_loss,time\n"


@given(points)
def test_every_run_gives_a_well_formed_picture_within_its_frame(run_losses: tuple[LossPoint, ...]) -> None:
    drawing = ET.fromstring(curve_svg(_run(run_losses)))  # noqa: S314 - our own output is under test
    for line in drawing.iter("{http://www.w3.org/2000/svg}polyline"):
        for pair in line.attrib["points"].split():
            x, y = map(float, pair.split(","))
            assert 0 <= x <= 720
            assert 0 <= y <= 360


@given(points, st.integers(1, 120), st.integers(1, 30))
def test_every_run_fits_into_every_terminal(run_losses: tuple[LossPoint, ...], width: int, height: int) -> None:
    lines = curve_text(run_losses, width, height)
    finite = any(math.isfinite(p.mean_loss) for p in run_losses)
    assert bool(lines) is finite
    assert len(lines) in (0, max(height, 2) + 2)
    if width >= 40:
        assert all(len(line) <= width for line in lines)


@given(points, st.integers(1, 40))
def test_a_sparkline_keeps_to_its_width(run_losses: tuple[LossPoint, ...], width: int) -> None:
    assert len(sparkline(run_losses, width)) <= width


def test_a_falling_loss_falls(losses: tuple[LossPoint, ...]) -> None:
    spark = sparkline(losses)
    assert spark[0] == "█"
    assert spark[-1] == "▁"
    assert list(spark) == sorted(spark, reverse=True)


def test_a_curve_over_more_than_two_decades_is_drawn_on_a_log_scale_and_says_so(
    losses: tuple[LossPoint, ...],
) -> None:
    assert any("log scale" in line for line in curve_text(losses))
    assert not any("log scale" in line for line in curve_text(losses[:30]))


def test_losses_that_are_no_numbers_are_left_out_of_pictures_and_kept_in_the_table(run: Run) -> None:
    odd = replace(run, losses=(*one(1.0, NAN, math.inf, 0.5),))
    assert "nan" not in curve_svg(odd).lower()
    assert [row["mean_loss"] for row in csv.DictReader(io.StringIO(curve_csv(odd)))] == ["1.0", "nan", "inf", "0.5"]


@pytest.mark.parametrize("time", ["=HYPERLINK(1)", "2026-03-01", "x\n2026-03-01T10:00:00Z"])
def test_a_time_that_is_none_does_not_reach_the_table(run: Run, time: str) -> None:
    odd = replace(run, losses=(LossPoint(1, 1, 1.0, time),))
    assert curve_csv(odd) == "step,epoch,mean_loss,time\n1,1,1.0,\n"


def test_a_hostile_model_name_stays_text_in_the_picture(run: Run) -> None:
    drawing = curve_svg(replace(run, model='tunedModels/"><script>alert(1)</script>'))
    assert "<script" not in drawing


def test_a_long_run_is_thinned_without_losing_its_spike(run: Run) -> None:
    values = [1.0] * 5000
    values[2500] = 9.0
    drawing = curve_svg(replace(run, losses=one(*values)))
    assert len(drawing) < 20_000
    (line,) = [row for row in drawing.splitlines() if 'class="steps"' in row]
    assert ",44.0" in line  # the top of the frame, where the spike is


def test_the_mean_of_an_epoch_stands_at_its_middle() -> None:
    found = epoch_means((LossPoint(1, 0, 4.0), LossPoint(2, 0, 3.0), LossPoint(3, 1, 2.0), LossPoint(4, 1, 1.0)))
    assert found == (LossPoint(2, 1, 3.5), LossPoint(4, 2, 1.5))


def test_the_step_that_ends_a_run_is_no_epoch_of_its_own() -> None:
    """A provider counts the epochs behind a step: after the last step those are all."""
    points = [LossPoint(step, step * 6 // 90, 9.0 if step == 90 else 1.0) for step in range(1, 91)]
    found = epoch_means(points, 6)
    assert [point.epoch for point in found] == [1, 2, 3, 4, 5, 6]
    assert found[-1].mean_loss == pytest.approx(1.5)
    assert curve_text(points, epochs=6)[-1].endswith("90 (epoch 6)")


def test_an_epoch_that_has_just_begun_does_not_bend_the_line() -> None:
    points = [LossPoint(step, step // 15, 9.0 if step > 44 else 1.0) for step in range(1, 50)]
    assert [point.mean_loss for point in epoch_means(points)] == [1.0, 1.0, 1.0]
    assert [point.epoch for point in epoch_means(points[:5])] == [1]


def test_a_run_that_diverged_says_at_which_step_in_its_picture(run: Run) -> None:
    broken = run.with_losses(one(1.0, NAN, math.inf, 0.5))
    assert "the loss is no number at step 2" in curve_svg(broken)
    nothing = run.with_losses(one(NAN))
    assert "the loss is no number at step 1" in curve_svg(nothing)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(1, 12))
def test_ticks_are_round_and_within_their_axis(low: float, span: float, about: int) -> None:
    scale = Scale(low, low + span)
    if scale.high > scale.low:
        found = ticks(scale, about)
        assert len(found) <= 2 * about + 2
        slack = span * 1e-6 + abs(low) * 1e-9
        assert all(low - slack <= value <= low + span + slack for value in found)


def test_losses_of_zero_are_no_reason_for_a_log_scale() -> None:
    assert loss_scale([100.0, 0.0]) == Scale(0.0, 100.0)
    assert loss_scale([100.0, 0.5]).logarithmic
    assert loss_scale([0.0]) == Scale(0.0, 1.0)


def _run(run_losses: tuple[LossPoint, ...]) -> Run:
    return Run(
        model="tunedModels/m-1",
        provider_type="local",
        base="models/tiny",
        fingerprint="a1" * 32,
        attempt=1,
        dataset_digest="b2" * 32,
        losses=run_losses,
    )

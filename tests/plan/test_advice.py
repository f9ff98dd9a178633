"""Loss curves of known shape to the advice they deserve, with the reasoning in the sentence."""

import math
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.plan.advice import advise
from controller.state.observed import LossPoint
from controller.state.recorded import Advice


def curve(shape: Callable[[float], float], epochs: int, per_epoch: int = 35, noise: float = 0.15) -> list[LossPoint]:
    """Losses of every step of a run: the shape over epochs, with a fixed ripple as batches have it."""
    steps = range(1, epochs * per_epoch + 1)
    return [LossPoint(s, s // per_epoch, shape(s / per_epoch) * (1 + noise * math.sin(s * s * 12.9898))) for s in steps]


def learned(epoch: float) -> float:
    return 3.9 * math.exp(-epoch / 4) + 0.012


def test_a_plateau_gives_the_epochs_that_reach_it_and_the_numbers_that_say_so() -> None:
    advice = advise(curve(learned, 40), 40)

    assert advice.epochs is not None
    assert 18 <= advice.epochs <= 26
    assert re.fullmatch(
        r"the smoothed loss falls from 3\.\d+ to 0\.0\d+ at epoch \d+ of 40 and moves less than 0\.5% of that fall "
        rf"after it \(lowest 0\.01\d*\): {advice.epochs} epochs would have given the same",
        advice.because,
    )


def test_the_proposed_epochs_really_lose_next_to_nothing() -> None:
    advice = advise(curve(learned, 40), 40)

    assert advice.epochs is not None
    assert learned(advice.epochs) - learned(40) < 0.006 * (learned(0) - learned(40))


def test_a_longer_plateau_does_not_change_the_proposal_much() -> None:
    shorter, longer = advise(curve(learned, 40), 40).epochs, advise(curve(learned, 120), 120).epochs

    assert shorter is not None
    assert longer is not None
    assert abs(shorter - longer) <= 4


def test_a_curve_that_still_falls_asks_for_more() -> None:
    advice = advise(curve(lambda e: 3.9 * math.exp(-e / 40), 40, noise=0.02), 40)

    assert advice.epochs == 60
    assert "more epochs would help, say 60 in place of 40" in advice.because


def test_a_run_that_was_stopped_while_it_fell_is_proposed_in_full() -> None:
    stopped = curve(lambda e: 3.9 * math.exp(-e / 10), 40, noise=0.02)[: 35 * 8]
    advice = advise(stopped, 40)

    assert advice.epochs == 40
    assert "which ended in epoch 9 of 40: it stopped too early" in advice.because


def test_a_rise_after_the_lowest_point_names_it_and_a_smaller_learning_rate() -> None:
    advice = advise(curve(lambda e: 3.9 * math.exp(-e / 2) + 0.5 + 0.1 * max(0, e - 6), 20), 20)

    assert advice.epochs is not None
    assert 6 <= advice.epochs <= 8
    assert "rises to 1.9" in advice.because
    assert "smaller learning rate" in advice.because


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_is_a_diverged_run(broken: float) -> None:
    advice = advise(curve(lambda e: 3.9 if e < 3 else broken, 5), 5)

    assert advice.epochs is None
    assert "at step 105: the run diverged; a smaller learning rate" in advice.because


def test_a_loss_that_grows_is_a_diverged_run() -> None:
    advice = advise(curve(lambda e: 3.9 + e, 20), 20)

    assert advice.epochs is None
    assert "the run diverged; a smaller learning rate" in advice.because


@pytest.mark.parametrize("end", [4.6, 28.0, 1.7])
def test_a_loss_that_blew_up_is_a_diverged_run_although_it_falls_at_the_end(end: float) -> None:
    """As the embedded server reports a learning rate of 1: beyond its first loss at once, and back where it began."""

    def blown(epoch: float) -> float:
        return 4.1 + 700 * epoch if epoch < 0.1 else end + (75 - end) * math.exp(-3 * epoch)

    points = [LossPoint(0, 0, 4.1), *curve(blown, 5, noise=0.05)]
    advice = advise(points, 5)

    assert advice.epochs is None
    assert re.fullmatch(
        r"the loss rises from 4\.1 to \d+\.?\d* and ends at [\d.]+: the run diverged; a smaller .*", advice.because
    )


def test_an_end_far_above_the_lowest_point_is_a_diverged_run() -> None:
    advice = advise(curve(lambda e: 3.9 * math.exp(-e / 2) + 0.5 + 0.4 * max(0, e - 12), 20), 20)

    assert advice.epochs is None
    assert "ends far above it" in advice.because
    assert "the run diverged; a smaller learning rate" in advice.because


def test_a_rough_start_that_a_run_recovers_from_is_no_divergence() -> None:
    advice = advise([LossPoint(0, 0, 3.9), *curve(lambda e: 20.0 if e < 0.3 else learned(e), 40)], 40)

    assert advice.epochs is not None


def test_a_flat_curve_learned_nothing() -> None:
    advice = advise(curve(lambda _: 3.9, 20, noise=0.01), 20)

    assert advice.epochs is None
    assert "stays near 3.91: nothing was learned" in advice.because
    assert "15 examples are few" in advise(curve(lambda _: 3.9, 20, noise=0.01), 20, examples=15).because


@pytest.mark.parametrize("count", [0, 1, 7])
def test_too_few_points_give_no_proposal_and_the_reason(count: int) -> None:
    advice = advise(curve(learned, 40)[:count], 40)

    assert advice.epochs is None
    assert advice.because in {"the run reported no losses", f"{count} loss values are too few to see a plateau"}


def test_a_run_without_epochs_gives_no_proposal() -> None:
    assert advise(curve(learned, 40), 0).epochs is None


def test_a_plateau_at_the_very_end_keeps_the_epochs() -> None:
    advice = advise(curve(lambda e: 3.9 * max(0.0, 1 - e / 4.2) + 0.4, 5, noise=0.0), 5)

    assert advice.epochs == 5
    assert advice.because.endswith(": no epoch was too many")


def test_the_order_in_which_points_were_reported_does_not_matter() -> None:
    points = curve(learned, 40)

    assert advise(points[::-1], 40) == advise(points, 40)


@given(
    st.lists(st.builds(LossPoint, st.integers(0, 10**6), st.integers(0, 10**4), st.floats()), max_size=60),
    st.integers(-1, 100),
    st.none() | st.integers(0, 1000),
)
def test_any_points_give_a_sentence_and_at_most_a_sane_number(
    losses: list[LossPoint], epochs: int, examples: int | None
) -> None:
    advice = advise(losses, epochs, examples)

    assert isinstance(advice, Advice)
    assert advice.because
    assert advice.epochs is None or 1 <= advice.epochs <= epochs + max(1, epochs // 2)

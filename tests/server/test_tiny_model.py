"""The model by itself: its size, its gradient, its determinism, and that padding and batching change nothing."""

from __future__ import annotations

import numpy as np
import pytest

from controller.server.engines.port import WeightsUnfit
from controller.server.engines.schedule import rate_at
from controller.server.engines.tiny import network
from controller.server.engines.tiny.base import TINY, WEIGHTS
from controller.server.engines.tiny.network import collate, encode
from controller.server.engines.tiny.training import TrainingRun, TrainingState, dump_weights, load_weights
from controller.server.models import RunHyperparameters, TrainingExample

ROWS = tuple(TrainingExample(text, output) for text, output in [("1", "2"), ("nineteen", "twenty"), ("XIV", "XV")])
ASKED = RunHyperparameters(epoch_count=4, batch_size=2, learning_rate=0.003)


def fresh() -> TrainingState:
    return TrainingRun(1, ROWS, ASKED).start(None)


def test_the_model_is_small() -> None:
    assert 100_000 <= network.SIZE <= 150_000
    assert network.SIZE == WEIGHTS


def test_the_gradient_is_the_slope_of_the_loss() -> None:
    weights, batch = fresh().weights, collate([encode(row) for row in ROWS])
    _, slope = network.loss_and_gradient(network.unpack(weights), batch)
    step = (slope * np.float32(1e-2 / np.linalg.norm(slope))).astype(np.float32)
    ahead, _ = network.loss_and_gradient(network.unpack(weights + step), batch)
    behind, _ = network.loss_and_gradient(network.unpack(weights - step), batch)
    assert ahead - behind == pytest.approx(2 * float(slope @ step), rel=1e-2)


def test_a_row_scores_the_same_alone_and_padded_in_a_batch() -> None:
    weights = network.unpack(fresh().weights)
    together = network.scores(weights, collate([encode(row) for row in ROWS]))
    for i, row in enumerate(ROWS):
        alone = network.scores(weights, collate([encode(row)]))[0]
        np.testing.assert_allclose(together[i, : len(alone)], alone, rtol=1e-3, atol=1e-4)


def test_an_output_byte_does_not_see_those_after_it() -> None:
    weights = network.unpack(fresh().weights)
    one, other = (
        network.scores(weights, collate([encode(TrainingExample("a", output))]))[0] for output in ("bcd", "bcx")
    )
    np.testing.assert_array_equal(one[:3], other[:3])
    assert not np.allclose(one[3], other[3])


def test_a_long_input_keeps_its_end() -> None:
    row = encode(TrainingExample("x" * 300 + "the end", "y"))
    assert len(row.source) == TINY.input_tokens
    assert row.source.endswith(b"the end")


def test_a_course_through_checkpoints_is_the_course_without() -> None:
    course = TrainingRun(1, ROWS, ASKED)
    straight, broken = course.start(None), course.start(None)
    curve = [course.advance(straight) for _ in range(course.steps)]
    again = []
    for _ in range(course.steps):
        broken = TrainingState.load(broken.dump())
        again.append(TrainingRun(1, ROWS, ASKED).advance(broken))
    assert again == curve
    assert broken.weights.tobytes() == straight.weights.tobytes()
    assert broken.step == course.steps == 6


def test_another_id_shuffles_and_starts_otherwise() -> None:
    assert not np.array_equal(fresh().weights, TrainingRun(2, ROWS, ASKED).start(None).weights)


def test_the_learning_rate_rises_to_its_peak_and_falls_to_nothing() -> None:
    rates = [rate_at(step, 200, 0.003) for step in range(1, 201)]
    assert max(rates) == rates[19] == pytest.approx(0.003)
    assert rates[:20] == sorted(rates[:20])
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert 0 < rates[-1] < 0.00001


def test_weights_of_another_size_are_refused() -> None:
    with pytest.raises(WeightsUnfit, match="another release"):
        load_weights(dump_weights(np.zeros(3, dtype=np.float32)))

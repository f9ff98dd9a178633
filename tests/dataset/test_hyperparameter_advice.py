"""Advice on hyperparameters, with the number of examples in mind."""

import pytest

from controller.dataset import advise_hyperparameters
from controller.dataset.rows import TaskType
from controller.errors import Severity
from controller.providers.gemini.facts import FACTS
from controller.providers.local import facts as local
from controller.server.engines.tiny.base import TINY
from controller.state.identity import Hyperparameters


@pytest.mark.parametrize(
    ("examples", "given", "expected"),
    [
        (200, Hyperparameters(5, 4, 0.001), []),
        (200, Hyperparameters(), []),
        (200, Hyperparameters(51, 4, 0.001), ["epochCount GT231"]),
        (100, Hyperparameters(10, 16, 0.001), ["batchSize GT232"]),
        (1000, Hyperparameters(5, 64, 0.001), []),
        (50, Hyperparameters(10, 4, 0.002), ["learningRate GT233"]),
        (100, Hyperparameters(10, 4, 0.002), []),
        (200, Hyperparameters(5, 4, 0.1), ["learningRate GT234"]),
        (200, Hyperparameters(5, 4, 1e-7), ["learningRate GT234"]),
        (200, Hyperparameters(5, 4, learning_rate_multiplier=50.0), ["learningRateMultiplier GT234"]),
        (200, Hyperparameters(5, 4, learning_rate_multiplier=1.0), []),
        (20_000, Hyperparameters(5, 4), ["epochCount GT235"]),
        (20, Hyperparameters(1, 4), ["epochCount GT236"]),
        (30, Hyperparameters(1, 16), ["batchSize GT232", "batchSize GT236"]),
        (0, Hyperparameters(900, 900, 900.0), []),
    ],
)
def test_what_stands_out_is_named_by_field_and_code(examples: int, given: Hyperparameters, expected: list[str]) -> None:
    found = advise_hyperparameters(examples, given, "other", FACTS.start)

    assert [f"{advice.field} {advice.code}" for advice in found] == expected
    assert all(advice.hint and advice.severity is Severity.ADVICE for advice in found)


@pytest.mark.parametrize("task", ["classification", "other"])
def test_many_epochs_are_named_with_what_the_guide_starts_with(task: TaskType) -> None:
    (advice,) = advise_hyperparameters(300, Hyperparameters(60), task, FACTS.start)

    assert advice.message.startswith("60 epochs; the guide starts with 5")
    assert ("classification" in advice.message) == (task == "classification")


def test_the_embedded_servers_own_learning_rate_is_not_advised_against() -> None:
    own = local.FACTS.start.learning_rate
    assert own == TINY.learning_rate
    assert advise_hyperparameters(50, Hyperparameters(10, 4, own), "other", local.FACTS.start) == ()
    (advice,) = advise_hyperparameters(50, Hyperparameters(10, 4, 0.004), "other", local.FACTS.start)
    assert advice.hint == "try 0.0006 to 0.003"

"""How many examples and steps a state machine is given, to the settings that hold it to that."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

LONG = "long"
_TIMES = 100  # how many times more the long profile tries
_STEPS = 50


def pace(examples: int, steps: int) -> settings:
    """A short run that is the same every time; under the profile ``long`` one of many examples drawn afresh."""
    if settings.get_current_profile_name() == LONG:
        return settings(max_examples=examples * _TIMES, stateful_step_count=_STEPS)
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=True,
        database=None,
        deadline=None,
        print_blob=True,
        # Shrinking with real git and real training takes minutes: a failure is told as found, and `long` shrinks it.
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )


def hold(make: Callable[[], RuleBasedStateMachine], to: settings) -> None:
    """Run a state machine; ``make`` gives a fresh one for each example."""
    # All that is done with the class is to call it without arguments, and these machines need some.
    run_state_machine_as_test(cast("type[RuleBasedStateMachine]", make), settings=to)

"""When to look again, from what was seen and when."""

from hypothesis import given
from hypothesis import strategies as st

from controller.daemon.schedule import Rhythm, Sight, backoff, hold_off, jittered, next_look, poll_after, unlisted
from controller.state.observed import Progress

RHYTHM = Rhythm()
shares = st.floats(0.0, 1.0)
seconds = st.floats(0.0, 1e6)


@given(st.integers(1, 10_000), shares)
def test_a_wait_after_failures_grows_to_its_bound_and_is_never_nothing(failures: int, chance: float) -> None:
    wait = backoff(failures, RHYTHM, chance)
    assert RHYTHM.first_retry / 2 <= wait <= RHYTHM.last_retry
    assert backoff(failures + 1, RHYTHM, chance) >= wait


@given(shares)
def test_jitter_never_lies_later_than_what_was_promised(chance: float) -> None:
    assert 0.9 * 60 <= jittered(60.0, chance) <= 60.0 + 1e-9


def test_a_run_is_looked_at_a_twentieth_of_its_time_apart() -> None:
    before = Sight(0.0, Progress(1000, 100))
    assert poll_after(before, Sight(10.0, Progress(1000, 200)), RHYTHM) == 5.0


def test_a_run_is_looked_at_when_it_must_be_over() -> None:
    before = Sight(0.0, Progress(100, 10))
    assert poll_after(before, Sight(89.0, Progress(100, 98)), RHYTHM) == 2.022727272727273


def test_a_run_that_stands_still_is_looked_at_less_and_less_often() -> None:
    first = Sight(0.0, Progress(1000, 100))
    waits = [poll_after(first, Sight(at, Progress(1000, 100)), RHYTHM) for at in (1.0, 4.0, 16.0, 640.0)]
    assert waits == [1.0, 4.0, 16.0, RHYTHM.latest]


@given(seconds, seconds, st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_run_is_never_left_alone_for_too_long_nor_asked_too_often(
    at: float, later: float, total: int, done: int, more: int
) -> None:
    wait = poll_after(Sight(at, Progress(total, done)), Sight(at + later, Progress(total, done + more)), RHYTHM)
    assert RHYTHM.soonest <= wait <= RHYTHM.latest


def test_a_few_models_are_listed_at_each_look_and_thousands_as_seldom_as_their_number_asks() -> None:
    assert unlisted(0, RHYTHM) == unlisted(3000, RHYTHM) == 0.0
    assert unlisted(10_000, RHYTHM) == 200.0
    assert unlisted(10**6, RHYTHM) == RHYTHM.resync


@given(seconds, st.floats(0.0, 1e3), st.floats(0.05, 1e3))
def test_a_look_is_due_a_wait_after_the_last_one_began_and_never_without_a_pause(
    began: float, took: float, wait: float
) -> None:
    ended = began + took
    due = next_look(began, ended, wait)
    assert began + wait <= due <= ended + wait
    assert due - ended >= min(took, wait) - 1e-6


def test_the_first_event_wakes_at_once() -> None:
    assert hold_off(None, 5.0, 5.0, 5.0) == 0.0
    assert hold_off(1.0, 5.0, 5.0, 5.0) == 0.0


def test_events_right_after_a_pass_began_wait_until_they_cease() -> None:
    assert hold_off(5.0, 5.1, 7.0, 7.2) > 0.0
    assert hold_off(5.0, 5.1, 7.0, 7.6) == 0.0


def test_events_that_never_cease_do_not_keep_a_pass_away_for_ever() -> None:
    assert hold_off(5.0, 5.1, 99.0, 16.0) == 0.0


@given(seconds, seconds, seconds)
def test_a_storm_of_ten_seconds_is_two_passes(start: float, spacing: float, length: float) -> None:
    """Passes counted as `Triggers` takes them, for a storm with an event every few milliseconds."""
    step, until = 0.001 + spacing % 0.2, start + length % 9.0
    passes, began, first, last, now = 0, None, None, start, start
    while now <= until + 1.0:
        if now <= until:
            first = now if first is None else first
            last = now
        if first is not None and hold_off(began, first, last, now) == 0.0:
            passes, began, first = passes + 1, now, None
        now += step
    assert passes <= 2

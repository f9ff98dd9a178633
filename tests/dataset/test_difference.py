"""What an edit of the examples did, in counts."""

import pytest

from controller.dataset import difference, moved
from controller.dataset.difference import Difference, Moved
from controller.state.desired import Example, Exchange

A, B, C = Example("a", "1"), Example("b", "2"), Example("c", "3")
A2 = Example("a", "9")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([], [], Difference()),
        ([], [A, B], Difference(added=(1, 2))),
        ([A, B], [], Difference(removed=2)),
        ([A, B], [A2, B], Difference(edited=(1,))),
        ([A, B], [B, A], Difference(reordered=True)),
        ([A, B], [A, C, B], Difference(added=(2,))),
        ([A, B, C], [C, A], Difference(removed=1, reordered=True)),
        ([A], [A, A], Difference(added=(2,), duplicates=1)),
        ([A, A], [A], Difference(removed=1)),
        ([A], [A, A2], Difference(added=(2,), contradictions=1)),
        ([A, A], [A2, A2], Difference(edited=(1, 2), duplicates=1, shift=100)),
        ([A, A], [A2], Difference(removed=1, edited=(1,))),
    ],
)
def test_an_edit_is_counted(before: list[Example], after: list[Example], expected: Difference) -> None:
    assert difference(before, after) == expected


def labelled(*counts: int) -> list[Example]:
    return [Example(f"{label} {n}", str(label)) for label, count in enumerate(counts) for n in range(count)]


@pytest.mark.parametrize(
    ("before", "after", "shift"),
    [
        (labelled(10, 10), labelled(10, 10), 0),
        (labelled(10, 10), labelled(15, 5), 25),
        (labelled(10, 10), labelled(10, 10, 20), 50),
        (labelled(1, 1, 1), labelled(1, 1, 1), None),  # answers, which nobody counts as labels
        ([], labelled(10, 10), None),
    ],
)
def test_the_shift_of_labels_is_the_share_of_examples_that_would_have_to_change(
    before: list[Example], after: list[Example], shift: int | None
) -> None:
    assert difference(before, after).shift == shift


def test_examples_that_go_from_one_set_to_the_other_are_counted() -> None:
    training = difference([A, B, C], [A, Example("d", "4")])
    evaluation = difference([Example("d", "4")], [B, Example("e", "5")])

    assert moved(training, evaluation) == Moved(to_evaluation=1, to_training=1)
    assert moved(training, difference([], [])) == Moved()


def test_a_conversation_is_another_one_where_anything_before_its_last_turn_is() -> None:
    before = Example("and?", "3", "Be brief.", (Exchange("1", "2"),))
    after = Example("and?", "3", "Be brief.", (Exchange("1", "two"),))
    edited = Example("and?", "three", "Be brief.", (Exchange("1", "2"),))

    assert difference([before], [after]) == Difference(added=(1,), removed=1)
    assert difference([before], [edited]) == Difference(edited=(1,))


def test_a_repr_of_a_difference_shows_no_row_and_no_key() -> None:
    assert repr(difference([A], [B])) == repr(Difference(added=(1,), removed=1))

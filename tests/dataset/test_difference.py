"""What an edit of the examples did, in counts."""

import pytest

from controller.dataset import difference
from controller.dataset.difference import Difference
from controller.state.desired import Example

A, B, C = Example("a", "1"), Example("b", "2"), Example("c", "3")
A2 = Example("a", "9")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([], [], Difference()),
        ([], [A, B], Difference(added=2)),
        ([A, B], [], Difference(removed=2)),
        ([A, B], [A2, B], Difference(edited=1)),
        ([A, B], [B, A], Difference(reordered=True)),
        ([A, B], [A, C, B], Difference(added=1)),
        ([A, B, C], [C, A], Difference(removed=1, reordered=True)),
        ([A], [A, A], Difference(added=1, duplicates=1)),
        ([A, A], [A], Difference(removed=1)),
        ([A], [A, A2], Difference(added=1, contradictions=1)),
        ([A, A], [A2, A2], Difference(edited=2, duplicates=1)),
        ([A, A], [A2], Difference(removed=1, edited=1)),
    ],
)
def test_an_edit_is_counted(before: list[Example], after: list[Example], expected: Difference) -> None:
    assert difference(before, after) == expected

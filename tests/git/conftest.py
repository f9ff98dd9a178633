"""Real repositories for the tests of this room."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.git.repositories import Trap, Work, new_trap, new_work


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Work]:
    return lambda name="repository", *options: new_work(tmp_path / name, *options)


@pytest.fixture
def trap(tmp_path: Path) -> Trap:
    return new_trap(tmp_path / "trap", tmp_path / "marker")

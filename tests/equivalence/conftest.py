"""The paces of the state machines, and one embedded server.

The long run: ``pytest tests/equivalence --hypothesis-profile=long --timeout=0``; git and training are real: hours.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.equivalence.pace import LONG
from tests.server.served import Served

settings.register_profile(LONG, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The embedded server as a process of its own, with room for a few runs at once."""
    served = Served(tmp_path_factory.mktemp("embedded") / "data", ("--runs", "4")).start()
    yield served
    served.stop()

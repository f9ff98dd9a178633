"""What a Gemini endpoint says, on a bad day, of runs whose end decides what serves."""

from __future__ import annotations

from pathlib import Path

from controller.ports import ObserveRequest
from controller.providers import Doors, open_provider
from controller.settings import ProviderSettings
from controller.state.observed import ObservedProvider, RemoteState
from controller.testing import FakeClock, SeededChance
from controller.testing.wire import answer, google_error
from tests.providers.test_gemini_observe import Serving, model

STOPPED = model(
    "stopped", tuningTask={"hyperparameters": {"epochCount": 5}, "snapshots": [{"step": 5, "meanLoss": 0.5}]}
)


async def seen_with(folder: Path, operations: bytes) -> ObservedProvider:
    """A run whose curve stops early and that is said to be ACTIVE, with this answer about its operation."""
    async with Serving(lambda p, _: answer({"tunedModels": [STOPPED]}) if "beta" in p else operations) as site:
        made = await open_provider(
            ProviderSettings("cloud", "gemini"),
            {"GEMINI_API_KEY": "made-up-key", "GOOGLE_GEMINI_BASE_URL": site.url},
            folder,
            Doors(FakeClock(), SeededChance()),
        )
        try:
            return await made.observe(ObserveRequest(frozenset({"tunedModels/stopped"})))
        finally:
            await made.close()


async def test_a_run_that_may_have_been_cancelled_is_not_active_until_its_operation_was_asked(tmp_path: Path) -> None:
    """A cancelled run is reported as ACTIVE: promoted in the moment that its operation cannot be read, it serves."""
    seen = await seen_with(tmp_path, google_error(503, "UNAVAILABLE", "later"))
    assert seen.models["tunedModels/stopped"].state is RemoteState.UNKNOWN


async def test_a_run_whose_operation_is_long_gone_is_what_its_model_says(tmp_path: Path) -> None:
    seen = await seen_with(tmp_path, google_error(404, "NOT_FOUND", "does not exist"))
    assert seen.models["tunedModels/stopped"].state is RemoteState.ACTIVE

"""What every test gets: a Gitune home of its own, and none of the developer's keys, endpoints or git settings."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.browser import installed
from tests.leftovers import end, noted

settings.register_profile("untimed", deadline=None)  # how long one example takes is for the machine's pace
settings.load_profile("untimed")

FOREIGN = (
    "GEMINI_",
    "GOOGLE_",
    "GITUNE_",
    "GITHUB_",
    "GIT_",
    "XDG_DATA_HOME",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_",
)


@pytest.fixture(autouse=True)
def gitune_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Gitune's data folder for this one test; not made yet. An embedded server below the test's folder ends with it."""
    for name in list(os.environ):
        if name.upper().startswith(FOREIGN):
            monkeypatch.delenv(name)
    home = tmp_path / "gitune-home"
    monkeypatch.setenv("GITUNE_HOME", str(home))
    # A person's own settings (a default branch, signing, a template folder) must not decide how a test ends.
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    yield home
    end(list(noted(tmp_path)))


@pytest.fixture(scope="session")
def browser() -> str:
    """A real browser. Without one the test is skipped; with CI set that is a failure."""
    found = installed()
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is not installed: apt-get install chromium")
        pytest.skip("Chromium is not installed (Debian: chromium); with CI set this is a failure")
    return found


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Nothing that a test started goes on: a suite that leaves servers behind fails."""
    yield
    factory: pytest.TempPathFactory | None = getattr(session.config, "_tmp_path_factory", None)
    if factory is None or hasattr(
        session.config, "workerinput"
    ):  # the run as a whole looks, below whose folder all are
        return
    left = list(noted(factory.getbasetemp()))
    if left:
        end(left)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        raise pytest.UsageError(f"{len(left)} embedded servers were left running")

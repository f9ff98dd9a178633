"""What every test gets: a Gitune home of its own, and none of the developer's keys, endpoints or git settings."""

import os
from pathlib import Path

import pytest

from tests.browser import installed

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
)


@pytest.fixture(autouse=True)
def gitune_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Gitune's data folder for this one test; not made yet."""
    for name in list(os.environ):
        if name.upper().startswith(FOREIGN):
            monkeypatch.delenv(name)
    home = tmp_path / "gitune-home"
    monkeypatch.setenv("GITUNE_HOME", str(home))
    # A person's own settings (a default branch, signing, a template folder) must not decide how a test ends.
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return home


@pytest.fixture(scope="session")
def browser() -> str:
    """A real browser. Without one the test is skipped; with CI set that is a failure."""
    found = installed()
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is not installed: apt-get install chromium")
        pytest.skip("Chromium is not installed (Debian: chromium); with CI set this is a failure")
    return found

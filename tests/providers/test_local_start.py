"""The embedded server: started once, found again, kept from others, and started anew when it is gone."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from controller.errors import Rejected, RejectedKind
from controller.ports import ObserveRequest, Provider
from controller.providers import Doors, Trust, open_provider, said_by_environment
from controller.providers.local.embedded import _noted
from controller.providers.opening import FACTS
from controller.settings import ProviderSettings
from controller.testing.wire import answer, listening

LOCAL = ProviderSettings("local", "local")
Kill = Callable[[int, signal.Signals], None]


Open = Callable[..., Awaitable[Provider]]


@pytest.fixture
def opened(home: Path, environ: dict[str, str], doors: Doors) -> Open:
    async def open_it(settings: ProviderSettings = LOCAL) -> Provider:
        return await open_provider(settings, environ, home, doors, Trust(said_by_environment(environ)))

    return open_it


def there(path: Path) -> bool:
    return os.path.lexists(path)


def pid_of(home: Path) -> int:
    return int(json.loads((home / "local" / "server.json").read_text())["pid"])


async def seen(provider: Provider) -> bool:
    observed = await provider.observe(ObserveRequest(base_models=frozenset({"models/tiny"})))
    assert observed.complete, observed.error
    await provider.close()
    return observed.base_models["models/tiny"].tunable


async def test_opening_starts_nothing(home: Path, opened: Open) -> None:
    await (await opened()).close()
    assert not there(home)


@pytest.mark.slow
async def test_two_at_once_start_one_server_that_a_third_finds(home: Path, opened: Open) -> None:
    first, second = await opened(), await opened()
    assert list(await asyncio.gather(seen(first), seen(second))) == [True, True]
    pid = pid_of(home)
    assert await seen(await opened())
    assert pid_of(home) == pid
    assert len((home / "local" / "server.out").read_text().splitlines()) == 1


@pytest.mark.slow
async def test_a_server_that_was_killed_is_started_again_with_another_key(home: Path, opened: Open, kill: Kill) -> None:
    provider = await opened()
    assert (await provider.observe(ObserveRequest())).complete
    pid, key = pid_of(home), (home / "local" / "api-key").read_text()
    kill(pid, signal.SIGKILL)
    assert await seen(provider)
    assert pid_of(home) != pid
    assert (home / "local" / "api-key").read_text() != key


@pytest.mark.slow
async def test_the_data_folder_is_ours_alone_and_the_child_knows_no_keys(home: Path, opened: Open) -> None:
    folder = home / "local"
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    assert await seen(await opened())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in ("api-key", "server.json", "server.out", "server.log", "start.lock"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600, name
    child = Path(f"/proc/{pid_of(home)}")
    key = (folder / "api-key").read_text()
    assert key.encode() not in (child / "cmdline").read_bytes()
    assert b"canary-never-for-a-child" not in (child / "environ").read_bytes()
    assert os.getsid(pid_of(home)) == pid_of(home)


@pytest.mark.slow
async def test_a_stale_note_is_not_believed(home: Path, opened: Open) -> None:
    folder = home / "local"
    folder.mkdir(parents=True)
    (folder / "api-key").write_text("an-old-key-made-up")
    async with listening(answer({})) as squatter:
        # The port belongs to somebody else by now: it must not be handed the key.
        (folder / "server.json").write_text(json.dumps({"url": squatter.url, "pid": 2**22 + 1}))
        assert await seen(await opened())
        assert squatter.requests == []


@pytest.mark.parametrize(
    "note",
    [
        "",
        "[]",
        '{"url": 3, "pid": "x"}',
        '{"url": "http://evil.test:80", "pid": 7}',
        '{"url": "http://127.0.0.1:1", "pid": 0}',
    ],
)
def test_a_broken_note_is_not_believed(tmp_path: Path, note: str) -> None:
    (tmp_path / "api-key").write_text("an-old-key-made-up")
    (tmp_path / "server.json").write_text(note)
    assert _noted(tmp_path) is None


async def test_a_folder_that_cannot_be_made_is_said_and_not_raised(home: Path, opened: Open) -> None:
    os.mkfifo(home)  # something that is no folder, in its place
    provider = await opened()
    observed = await provider.observe(ObserveRequest())
    assert not observed.complete
    assert "GITUNE_HOME" in observed.hint
    (finding,) = await provider.check()
    assert not finding.well
    with pytest.raises(Rejected) as caught:
        await provider.delete("tunedModels/x")
    assert caught.value.provider == "local"


async def test_a_server_that_cannot_start_says_what_its_log_says(home: Path, opened: Open) -> None:
    (home / "local").mkdir(parents=True)
    (home / "local" / "lock").mkdir()  # where the server wants a file
    observed = await (await opened()).observe(ObserveRequest())
    assert not observed.complete
    assert "did not start" in observed.error
    assert "server.log" in observed.hint


async def test_a_local_endpoint_is_never_sent_the_key_of_the_cloud(opened: Open, environ: dict[str, str]) -> None:
    async with listening(answer({})) as wire:
        provider = await opened(ProviderSettings("local", "local", endpoint=wire.url))
        assert (await provider.observe(ObserveRequest())).complete
        await provider.close()
        assert b"x-goog-api-key" not in wire.requests[0].lower()
        environ |= {"MY_SERVE_KEY": "made-up-serve-key", "GITUNE_TRUSTED_ENDPOINTS": wire.url}
        named = ProviderSettings("local", "local", endpoint=wire.url, api_key_env="MY_SERVE_KEY")
        provider = await opened(named)
        assert (await provider.observe(ObserveRequest())).complete
        await provider.close()
        assert b"x-goog-api-key: made-up-serve-key" in wire.requests[1].lower()


@pytest.mark.parametrize(
    ("settings", "given", "words", "hint"),
    [
        (ProviderSettings("g", "gemini"), {}, "GEMINI_API_KEY is not set", "aistudio.google.com/apikey"),
        (ProviderSettings("g", "gemini", api_key_env="OTHER"), {"GEMINI_API_KEY": "x"}, "OTHER is not set", "OTHER"),
        (
            ProviderSettings("g", "gemini", endpoint="http://example.com"),
            {"GEMINI_API_KEY": "x"},
            "plain http",
            "https",
        ),
        (
            ProviderSettings("g", "gemini"),
            {"GEMINI_API_KEY": "x", "GOOGLE_GEMINI_BASE_URL": "x"},
            "not an http",
            "https",
        ),
        (ProviderSettings("l", "local", endpoint="http://10.0.0.1:1"), {}, "plain http", "https"),
        (
            ProviderSettings("l", "local", endpoint="http://127.0.0.1:1", api_key_env="K"),
            {"GITUNE_TRUSTED_ENDPOINTS": "http://127.0.0.1:1"},
            "K is not set",
            "K",
        ),
    ],
)
async def test_a_provider_that_cannot_be_opened_answers_with_the_reason(
    settings: ProviderSettings, given: dict[str, str], words: str, hint: str, quick_doors: Doors
) -> None:
    provider = await open_provider(settings, given, Path("/nowhere"), quick_doors, Trust(said_by_environment(given)))
    observed = await provider.observe(ObserveRequest(frozenset({"tunedModels/x"})))
    assert (observed.key, observed.complete, dict(observed.models)) == (settings.key, False, {})
    assert words in observed.error
    assert hint in observed.hint
    with pytest.raises(Rejected) as caught:
        await provider.generate("tunedModels/x", "x")
    assert caught.value.kind in {RejectedKind.UNAUTHENTICATED, RejectedKind.PRECONDITION}
    assert caught.value.provider == settings.key
    assert [f.well for f in await provider.check()] == [False]
    assert provider.facts == FACTS[settings.type]
    await provider.close()


async def test_the_endpoint_of_the_environment_is_used_where_gitune_yaml_names_none(
    tmp_path: Path, quick_doors: Doors
) -> None:
    async with listening(answer({})) as wire:
        environ = {"GEMINI_API_KEY": "made-up-key-1", "GOOGLE_GEMINI_BASE_URL": f"{wire.url}/"}
        provider = await open_provider(ProviderSettings("g", "gemini"), environ, tmp_path, quick_doors)
        assert (await provider.observe(ObserveRequest())).complete
        await provider.close()
    assert b"x-goog-api-key: made-up-key-1" in wire.requests[0].lower()


@pytest.mark.parametrize("where", ["GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG", "HOME"])
async def test_without_a_key_the_google_account_is_used(where: str, tmp_path: Path, quick_doors: Doors) -> None:
    folder = tmp_path / ".config" / "gcloud" if where == "HOME" else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "application_default_credentials.json"
    file.write_text('{"type": "nonsense"}')
    environ = {where: str(file if where == "GOOGLE_APPLICATION_CREDENTIALS" else tmp_path)}
    provider = await open_provider(ProviderSettings("g", "gemini"), environ, tmp_path, quick_doors)
    observed = await provider.observe(ObserveRequest())
    await provider.close()
    assert "application_default_credentials.json" in observed.error
    assert "gcloud auth application-default login" in observed.hint


def test_local_is_free_and_gemini_has_the_inline_cap_of_the_guide() -> None:
    local, cloud = FACTS["local"], FACTS["gemini"]
    assert (local.free, local.examples.inline_bytes) == (True, None)
    assert (cloud.free, cloud.examples.inline_bytes) == (False, 4_000_000)

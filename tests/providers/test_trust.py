"""A secret goes to an address of gitune.yaml only where somebody outside of the repository has named that address."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from controller.errors import ControllerError, Rejected
from controller.ports import ObserveRequest
from controller.providers import Doors, Sending, Trust, Trusted, TrustFile, Way, open_provider, said_by_environment
from controller.rest import checked_endpoint, covers
from controller.settings import ProviderSettings
from controller.testing.wire import answer, listening
from tests.providers.test_google_credentials import pem_text, service_account

KEY = "made-up-key-of-somebody"


@pytest.mark.parametrize(
    ("written", "spelled"),
    [
        ("https://host", "https://host"),
        ("HTTPS://Host.Example./", "https://host.example"),
        ("https://host:443/v1/acme/", "https://host/v1/acme"),
        ("https://host:8443", "https://host:8443"),
        ("http://LOCALHOST.:80", "http://localhost"),
        ("http://[0:0:0:0:0:0:0:1]:8080", "http://[::1]:8080"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ],
)
def test_an_endpoint_has_one_spelling(written: str, spelled: str) -> None:
    assert checked_endpoint(written) == spelled
    assert checked_endpoint(spelled) == spelled


@pytest.mark.parametrize(
    "written",
    [
        *(
            "https://a@b",
            "https://@b",
            "https://a:b@c",
            "https://a\\@b",
            "https://a\\.b",
            "https://b\u00fccher.example",
        ),
        *("https://g\u043e\u043egle.example", "https://a/..", "https://a/../b", "https://a/./b", "https://a/%2e%2e/b"),
        *(
            "https://a//b",
            "https://a/b;c",
            "https://a/$(id)",
            "https://a/b?c",
            "https://a#b",
            " https://a",
            "https://a\tb",
        ),
        *("https://a..b", "https://*.b", "https://[fe80::1%25eth0]", "https://[::1", "https://a:99999", "https://"),
        *("http://example.com", "http://0.0.0.0", "http://127.1", "http://2130706433", "http://[::]", "ftp://a", "a"),
        "https://\uff47oogle.example",
    ],
)
def test_what_two_readers_could_take_for_two_things_is_not_asked(written: str) -> None:
    with pytest.raises(Rejected):
        checked_endpoint(written)


@pytest.mark.parametrize(
    ("trusted", "endpoint", "is_covered"),
    [
        ("https://a", "https://a", True),
        ("https://a", "https://a/v1", True),
        ("https://a/v1", "https://a/v1/b", True),
        ("https://a/v1", "https://a/v10", False),
        ("https://a/v1", "https://a", False),
        ("https://a", "https://a.b", False),
        ("https://a", "https://a:8443", False),
        ("https://a:8443", "https://a", False),
        ("https://a", "https://b.a", False),
        ("http://127.0.0.1:80", "http://127.0.0.1:8080", False),
        ("http://localhost:1", "http://127.0.0.1:1", False),
        ("https://localhost:1", "http://localhost:1", False),
    ],
)
def test_trust_is_for_one_origin_and_what_is_below_its_path(trusted: str, endpoint: str, *, is_covered: bool) -> None:
    assert covers(checked_endpoint(trusted), checked_endpoint(endpoint)) is is_covered


@pytest.mark.parametrize("kind", ["gemini", "local"])
@pytest.mark.parametrize("way", Way)
async def test_a_refusal_says_where_what_and_how_to_allow_it_and_asks_nothing(
    kind: str, way: Way, quick_doors: Doors, tmp_path: Path
) -> None:
    async with listening(answer({})) as thief:
        settings = ProviderSettings(
            "g",
            "gemini" if kind == "gemini" else "local",
            endpoint=thief.url,
            api_key_env="AWS_SECRET_ACCESS_KEY",
            place="gitune.yaml:6:31",
        )
        environ = {"AWS_SECRET_ACCESS_KEY": KEY}
        provider = await open_provider(settings, environ, tmp_path, quick_doors, Trust(variables=None, way=way))
        seen = await provider.observe(ObserveRequest())
        await provider.check()
        await provider.close()
        assert not seen.complete
        assert seen.error.startswith(f"gitune.yaml:6:31: GT334 AWS_SECRET_ACCESS_KEY is not sent to {thief.url}: ")
        words = {Way.MACHINE: f"`gitune trust {thief.url}`", Way.FILE: "trustedEndpoints"}
        assert words.get(way, f"GITUNE_TRUSTED_ENDPOINTS={thief.url}") in seen.hint
        assert thief.requests == []
        allowed = Trust((Trusted(thief.url),), frozenset(environ))
        provider = await open_provider(settings, environ, tmp_path, quick_doors, allowed)
        assert (await provider.observe(ObserveRequest())).complete
        await provider.close()
        assert KEY.encode() in thief.requests[0], "the same settings, with the address named"


async def test_a_redirect_of_a_trusted_address_takes_no_key_along(quick_doors: Doors, tmp_path: Path) -> None:
    async with listening(answer({})) as thief, listening(answer({}, 307, {"location": f"{thief.url}/v1beta"})) as known:
        settings = ProviderSettings("g", "gemini", endpoint=known.url)
        environ = {"GEMINI_API_KEY": KEY}
        provider = await open_provider(settings, environ, tmp_path, quick_doors, Trust((Trusted(known.url),)))
        assert not (await provider.observe(ObserveRequest())).complete
        await provider.close()
        assert KEY.encode() in known.requests[0]
        assert thief.requests == []


@pytest.mark.parametrize("where", ["GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG", "HOME"])
async def test_a_google_account_needs_trust_like_a_key_and_is_nobodys_by_default(
    where: str, tmp_path: Path, quick_doors: Doors
) -> None:
    folder = tmp_path / ".config" / "gcloud" if where == "HOME" else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "application_default_credentials.json"
    token = answer({"access_token": "ya29.made-up-token", "expires_in": 60})
    async with listening(token) as tokens, listening(answer({})) as thief:
        file.write_text(json.dumps(service_account(pem_text(), tokens.url)))
        environ = {where: str(file if where == "GOOGLE_APPLICATION_CREDENTIALS" else tmp_path)}
        settings = ProviderSettings("g", "gemini", endpoint=thief.url)
        for trust, words in (
            (Trust(), "GT334"),
            (Trust((Trusted(thief.url),), frozenset()), "GEMINI_API_KEY is not set"),
            (Trust((Trusted(thief.url),)), ""),
        ):
            provider = await open_provider(settings, environ, tmp_path, quick_doors, trust)
            seen = await provider.observe(ObserveRequest())
            await provider.close()
            assert words in seen.error
            assert seen.complete is (words == "")
        assert len(thief.requests) == 1, "only where it was said"
        assert b"bearer ya29.made-up-token" in thief.requests[0].lower()


def test_the_environment_names_addresses_between_blanks_and_a_slip_is_said() -> None:
    environ = {"GITUNE_TRUSTED_ENDPOINTS": " https://LLM.acme.dev/ \n http://127.0.0.1:8080\t"}
    assert said_by_environment(environ) == (Trusted("https://llm.acme.dev"), Trusted("http://127.0.0.1:8080"))
    assert said_by_environment({}) == ()
    for slip in ("*", "acme.dev", "https://*.acme.dev", "https://a,https://b", "http://acme.dev"):
        with pytest.raises(ControllerError, match="GITUNE_TRUSTED_ENDPOINTS: the endpoint"):
            said_by_environment({"GITUNE_TRUSTED_ENDPOINTS": slip})


def test_what_a_person_said_holds_for_one_folder_one_address_and_one_secret(tmp_path: Path) -> None:
    home, one, other = tmp_path / "home", tmp_path / "one", tmp_path / "other"
    file = TrustFile(home)
    assert file.of(one) == ()
    file.add(one, "https://a", frozenset({"A"}))
    file.add(one, "https://a", frozenset({"B"}))
    file.add(other, "https://b", frozenset({"A"}))
    said = Trust(TrustFile(home).of(one))
    allowed = {("A", "https://a"), ("B", "https://a"), ("A", "https://a/v1")}
    for secret in ("A", "B", "C"):
        for endpoint in ("https://a", "https://a/v1", "https://b", "http://a"):
            assert said.allows(Sending(secret, endpoint)) is ((secret, endpoint) in allowed | {("B", "https://a/v1")})
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert file.remove(one, "https://a")
    assert not file.remove(one, "https://a")
    assert file.of(one) == ()
    assert file.of(other) == (Trusted("https://b", frozenset({"A"})),)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"repositories": []}', '{"repositories": {"/x": [{}]}}', "[" * 100_000, "\xff"]
)
def test_a_file_that_is_not_ours_trusts_nobody_and_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "trust.json").write_text(text, "latin-1")
    with pytest.raises(ControllerError, match=r"trust\.json is not what Gitune writes"):
        TrustFile(tmp_path).of(tmp_path / "elsewhere")


def test_a_checkout_that_brings_a_data_folder_along_does_not_speak_for_itself(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    TrustFile(repository / ".gitune-home").add(tmp_path / "another", "https://a", frozenset({"A"}))
    written = (
        (repository / ".gitune-home" / "trust.json").read_text().replace(f"{tmp_path / 'another'}", f"{repository}")
    )
    (repository / ".gitune-home" / "trust.json").write_text(written)
    assert TrustFile(repository / ".gitune-home").of(repository) == ()
    with pytest.raises(ControllerError, match="lies in the repository"):
        TrustFile(repository / ".gitune-home").add(repository, "https://a", frozenset({"A"}))

"""Credentials files of each kind against a token endpoint on a real socket."""

from __future__ import annotations

import json
import sys
import traceback
import urllib.parse
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from controller.errors import ProviderError, Rejected, RejectedKind, Transient
from controller.providers.google.credentials import SCOPE, OAuth
from controller.providers.google.envelope import GOOGLE
from controller.rest import ClientLimits, Repeat, Rest, Timing, redact
from controller.testing.wire import Script, answer, google_error, listening, reset

TOKEN = "token-made-up-0123456789"
GRANTED = answer({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})


@pytest.fixture(scope="module")
def pem() -> str:
    return pem_text()


def pem_text() -> str:
    """A private key of its own."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def written(folder: Path, info: object) -> OAuth:
    file = folder / "credentials.json"
    file.write_text(info if isinstance(info, str) else json.dumps(info))
    return OAuth(file, "GOOGLE_APPLICATION_CREDENTIALS")


def service_account(pem: str, token_uri: str) -> Mapping[str, str]:
    return {
        "type": "service_account",
        "private_key": pem,
        "private_key_id": "1",
        "client_email": "tuner@example.iam.gserviceaccount.com",
        "token_uri": token_uri,
    }


async def failure(oauth: OAuth) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await oauth.headers()
    return caught.value


async def test_a_service_account_asks_for_the_tuning_scope_once_and_keeps_its_token(tmp_path: Path, pem: str) -> None:
    before = set(sys.modules)  # another test may need what the product does without
    async with listening(GRANTED) as wire:
        oauth = written(tmp_path, service_account(pem, f"{wire.url}/token"))
        first, second = await oauth.headers(), await oauth.headers()
    assert first == second
    assert first["authorization"] == f"Bearer {TOKEN}"
    (request,) = wire.requests
    asked = urllib.parse.parse_qs(request.partition(b"\r\n\r\n")[2].decode())
    assert asked["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    assert redact(f"x {TOKEN} x") == "x *** x"
    assert not {"requests", "urllib3"} & (set(sys.modules) - before)


async def test_a_signed_in_user_is_refreshed_and_names_who_pays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(GRANTED) as wire:
        # A user's file names no token endpoint; google-auth has Google's written in.
        monkeypatch.setattr("google.oauth2.credentials._GOOGLE_OAUTH2_TOKEN_ENDPOINT", f"{wire.url}/token")
        oauth = written(
            tmp_path,
            {
                "type": "authorized_user",
                "client_id": "id",
                "client_secret": "client-secret-made-up",
                "refresh_token": "refresh-token-made-up",
                "quota_project_id": "payer",
            },
        )
        google = await oauth.headers()
    assert google["x-goog-user-project"] == "payer"
    assert redact("client-secret-made-up refresh-token-made-up") == "*** ***"


async def test_workload_identity_exchanges_the_token_in_its_file(tmp_path: Path) -> None:
    (tmp_path / "subject").write_text("subject-token-made-up")
    async with listening(
        answer(
            {
                "access_token": TOKEN,
                "expires_in": 3600,
                "token_type": "Bearer",
                "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            }
        )
    ) as wire:
        oauth = written(
            tmp_path,
            {
                "type": "external_account",
                "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
                "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
                "token_url": f"{wire.url}/v1/token",
                "credential_source": {"file": str(tmp_path / "subject")},
            },
        )
        headers = await oauth.headers()
    assert headers["authorization"] == f"Bearer {TOKEN}"
    asked = urllib.parse.parse_qs(wire.requests[0].partition(b"\r\n\r\n")[2].decode())
    assert asked["scope"] == [SCOPE]
    assert asked["subject_token"] == ["subject-token-made-up"]


async def test_a_401_is_followed_by_one_fresh_token_even_for_a_create(tmp_path: Path, pem: str, timing: Timing) -> None:
    unauthenticated = google_error(401, "UNAUTHENTICATED", "expired")
    async with listening(GRANTED) as tokens, listening(unauthenticated, answer({"ok": 1})) as api:
        oauth = written(tmp_path, service_account(pem, f"{tokens.url}/token"))
        rest = Rest(api.url, oauth, ClientLimits(), None, timing, dialect=GOOGLE)
        assert await rest.request("POST", "/v1beta/tunedModels", None, {}, repeat=Repeat.ONCE) == {"ok": 1}
        assert (len(tokens.requests), len(api.requests)) == (2, 2)
        await rest.close()


async def test_a_401_that_stays_is_asked_once_more_and_then_said(tmp_path: Path, pem: str, timing: Timing) -> None:
    async with listening(GRANTED) as tokens, listening(google_error(401, "UNAUTHENTICATED", "no")) as api:
        oauth = written(tmp_path, service_account(pem, f"{tokens.url}/token"))
        rest = Rest(api.url, oauth, ClientLimits(), None, timing, dialect=GOOGLE)
        with pytest.raises(Rejected) as caught:
            await rest.request("GET", "/v1beta/models", repeat=Repeat.READ)
        assert len(api.requests) == 2
        await rest.close()
    assert caught.value.kind is RejectedKind.UNAUTHENTICATED
    assert "gcloud auth application-default login" in caught.value.hint


async def test_a_withdrawn_account_is_rejected_with_advice(tmp_path: Path, pem: str) -> None:
    grant = answer({"error": "invalid_grant", "error_description": "account not found\nline two"}, 400)
    async with listening(grant) as wire:
        error = await failure(written(tmp_path, service_account(pem, f"{wire.url}/token")))
    assert isinstance(error, Rejected)
    assert error.kind is RejectedKind.UNAUTHENTICATED
    assert "account not found line two" in error.message
    assert "GOOGLE_APPLICATION_CREDENTIALS" in error.message


@pytest.mark.parametrize("script", [reset, answer(b"", 302, {"location": "http://evil.test/"})])
async def test_a_token_endpoint_that_fails_means_that_nothing_was_sent(
    tmp_path: Path, pem: str, timing: Timing, script: Script
) -> None:
    async with listening(script) as tokens, listening(answer({})) as api:
        oauth = written(tmp_path, service_account(pem, f"{tokens.url}/token"))
        rest = Rest(api.url, oauth, ClientLimits(), None, timing, dialect=GOOGLE)
        with pytest.raises((Transient, Rejected)):
            await rest.request("POST", "/v1beta/tunedModels", None, {}, repeat=Repeat.ONCE)
        await rest.close()
    assert api.requests == []


@pytest.mark.parametrize(
    "info",
    [
        "not json",
        "[]",
        {"type": "service_account"},
        {"type": "service_account", "private_key": "PRIVATE-canary-KEY", "client_email": "x", "token_uri": "https://x"},
        {"type": "something_new"},
        {},
        {"type": "authorized_user"},
        {
            "type": "external_account",
            "audience": "a",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": "https://sts.googleapis.com/v1/token",
            "credential_source": {"executable": {"command": "/bin/touch /tmp/never"}},
        },
    ],
)
async def test_a_file_that_is_not_a_credentials_file_is_named_and_not_quoted(tmp_path: Path, info: object) -> None:
    error = await failure(written(tmp_path, info))
    assert isinstance(error, Rejected)
    assert error.kind is RejectedKind.UNAUTHENTICATED
    assert "credentials.json" in error.message
    assert "canary" not in "".join(traceback.format_exception(error))


async def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    error = await failure(OAuth(tmp_path / "nowhere.json", "GOOGLE_APPLICATION_CREDENTIALS"))
    assert "nowhere.json" in error.message
    assert "cannot be read" in error.message


async def test_a_token_is_not_asked_for_over_plain_http(tmp_path: Path, pem: str) -> None:
    error = await failure(written(tmp_path, service_account(pem, "http://tokens.example.com/token")))
    assert "plain http" in error.message

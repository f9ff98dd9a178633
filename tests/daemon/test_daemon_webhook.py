"""What a webhook may do: wake the loop, if GitHub signed it, once."""

import hashlib
import hmac
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.daemon.web.webhook import LARGEST, Deliveries, DeliveryVerdict, read_secret
from controller.errors import ControllerError

SECRET = b"0123456789abcdef0123456789abcdef"
BODY = b'{"ref": "refs/heads/main"}'


def signed(body: bytes = BODY, secret: bytes = SECRET, **headers: str) -> dict[str, str]:
    signature = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return {"x-hub-signature-256": signature, "x-github-event": "push", "x-github-delivery": "d1"} | named


@pytest.mark.parametrize("event", ["push", "pull_request"])
def test_a_signed_delivery_wakes(event: str) -> None:
    assert Deliveries(lambda: SECRET).judge(signed(x_github_event=event), BODY) is DeliveryVerdict.WAKES


@pytest.mark.parametrize("event", ["ping", "issues", "", "PUSH"])
def test_other_events_are_taken_and_wake_nobody(event: str) -> None:
    assert Deliveries(lambda: SECRET).judge(signed(x_github_event=event), BODY) is DeliveryVerdict.KNOWN


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-hub-signature-256": ""},
        {"x-hub-signature-256": "sha256="},
        {"x-hub-signature-256": hmac.new(SECRET, BODY, hashlib.sha256).hexdigest()},
        {"x-hub-signature-256": "sha1=" + hmac.new(SECRET, BODY, hashlib.sha1).hexdigest()},
        {"x-hub-signature": "sha256=" + hmac.new(SECRET, BODY, hashlib.sha256).hexdigest()},
        {"x-hub-signature-256": "sha256=" + "é" * 64},
    ],
)
def test_a_delivery_without_the_right_signature_is_forged(headers: dict[str, str]) -> None:
    named = {"x-github-event": "push", "x-github-delivery": "d1"} | headers
    assert Deliveries(lambda: SECRET).judge(named, BODY) is DeliveryVerdict.FORGED


def test_the_signature_is_over_the_bytes_not_over_what_they_mean() -> None:
    assert Deliveries(lambda: SECRET).judge(signed(), BODY.replace(b" ", b"  ")) is DeliveryVerdict.FORGED


def test_another_secret_is_forged() -> None:
    assert (
        Deliveries(lambda: SECRET).judge(signed(secret=b"another-secret-of-some-length"), BODY)
        is DeliveryVerdict.FORGED
    )


def test_a_replayed_delivery_wakes_nobody() -> None:
    deliveries = Deliveries(lambda: SECRET)
    verdicts = [deliveries.judge(signed(), BODY) for _ in range(3)]
    assert verdicts == [DeliveryVerdict.WAKES, DeliveryVerdict.KNOWN, DeliveryVerdict.KNOWN]


def test_a_forged_delivery_does_not_use_up_the_id_of_a_true_one() -> None:
    deliveries = Deliveries(lambda: SECRET)
    deliveries.judge(signed(secret=b"another-secret-of-some-length"), BODY)
    assert deliveries.judge(signed(), BODY) is DeliveryVerdict.WAKES


def test_a_delivery_without_an_id_is_malformed() -> None:
    assert Deliveries(lambda: SECRET).judge(signed(x_github_delivery=""), BODY) is DeliveryVerdict.MALFORMED
    assert Deliveries(lambda: SECRET).judge(signed(x_github_delivery="d" * 129), BODY) is DeliveryVerdict.MALFORMED


def test_what_is_too_large_is_not_even_hashed() -> None:
    body = b"x" * (LARGEST + 1)
    assert Deliveries(lambda: SECRET).judge(signed(body), body) is DeliveryVerdict.TOO_LARGE


def test_ids_are_kept_within_bounds() -> None:
    deliveries = Deliveries(lambda: SECRET)
    for number in range(5000):
        deliveries.judge(signed(x_github_delivery=f"d{number}"), BODY)
    assert deliveries.judge(signed(x_github_delivery="d4999"), BODY) is DeliveryVerdict.KNOWN
    assert deliveries.judge(signed(x_github_delivery="d0"), BODY) is DeliveryVerdict.WAKES


def test_more_requests_than_anybody_sends_are_refused_and_admitted_again_later() -> None:
    deliveries = Deliveries(lambda: SECRET)
    admitted = [deliveries.admit(100.0) for _ in range(100)]
    assert sum(admitted) == 60
    assert not deliveries.admit(100.05)
    assert deliveries.admit(101.0)


@given(st.binary(max_size=2000), st.text(max_size=100))
def test_no_bytes_and_no_signature_raise(body: bytes, signature: str) -> None:
    headers = {"x-hub-signature-256": signature, "x-github-event": "push", "x-github-delivery": "d"}
    assert Deliveries(lambda: SECRET).judge(headers, body) is DeliveryVerdict.FORGED


def test_a_secret_is_read_without_its_line_feed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(SECRET + b"\n")
    assert read_secret(tmp_path / "secret") == SECRET


@pytest.mark.parametrize("content", [b"", b"\n", b"short"])
def test_no_secret_to_speak_of_opens_no_door(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(ControllerError, match="webhook secret"):
        read_secret(tmp_path / "secret")


def test_a_secret_that_is_not_there_opens_no_door(tmp_path: Path) -> None:
    with pytest.raises(ControllerError, match="cannot be read"):
        read_secret(tmp_path / "nothing")

"""A uri to bytes on this machine: fetched once, verified against its pin, kept by digest."""

from __future__ import annotations

import asyncio
import hashlib
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.downloads.aws import signer
from controller.downloads.fetching import Fetching
from controller.downloads.kept import Kept
from controller.errors import Unreadable
from controller.specs.data_uri import DataUri, parse_data_uri
from tests.downloads.store import Answer, ObjectServer, data_of

Make = Callable[..., Fetching]
ROWS = b'{"text_input": "1", "output": "2"}\n' * 30
PIN = hashlib.sha256(ROWS).hexdigest()
MOST = 1 << 20
COMMIT = "c" * 40
SECRET = "canary-of-the-account-0123456789"


class Token:
    """Credentials that renew: the first is stale."""

    name, hint, renews = "the account of a test", "", True

    async def headers(self, *, fresh: bool = False) -> dict[str, str]:
        return {"authorization": f"Bearer {'fresh' if fresh else 'stale'}-{SECRET}"}


def at(store: ObjectServer, path: str = "/a/rows.jsonl", body: bytes = ROWS) -> DataUri:
    store.answers[path] = Answer(body)
    return parse_data_uri(store.url + path)


async def refusal(fetching: Fetching, uri: DataUri, pin: str | None = PIN, most: int = MOST) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        await fetching.fetch(uri, pin, most)
    return caught.value


async def test_a_file_is_fetched_and_kept_by_its_digest_for_this_user_alone(
    fetching: Make, store: ObjectServer, kept: Kept
) -> None:
    one = fetching()
    uri = at(store)

    assert await one.fetch(uri, PIN, MOST) == PIN

    path = kept.path(PIN)
    assert path.read_bytes() == ROWS
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    folders = [path.parents[number] for number in range(3)]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
    assert data_of(kept.open(one.origin(uri), PIN, MOST)) == ROWS
    assert list((path.parents[2] / "incoming").iterdir()) == []


async def test_a_changed_object_is_refused_and_the_way_to_pin_it_is_named(
    fetching: Make, store: ObjectServer, kept: Kept
) -> None:
    other = ROWS + b"\n"

    found = await refusal(fetching(), at(store, body=other))

    assert found.code == "GT423"
    assert hashlib.sha256(other).hexdigest() in found.message
    assert PIN in found.message
    assert "gitune pin" in found.hint
    assert not kept.path(PIN).exists()
    assert not kept.path(hashlib.sha256(other).hexdigest()).exists()


async def test_without_a_pin_what_is_there_is_kept_under_its_digest(fetching: Make, store: ObjectServer) -> None:
    assert await fetching().fetch(at(store), None, MOST) == PIN


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("gs://bucket/a b/rows.jsonl", "/storage/v1/b/bucket/o/a%20b%2Frows.jsonl"),
        ("s3://bucket/a b/rows.jsonl", "/bucket/a%20b/rows.jsonl"),
        (f"hf://datasets/o/n@{COMMIT}/a/rows.jsonl", f"/datasets/o/n/resolve/{COMMIT}/a/rows.jsonl"),
    ],
)
async def test_each_store_is_asked_in_its_own_way(fetching: Make, store: ObjectServer, text: str, path: str) -> None:
    store.answers[path] = Answer(ROWS)

    assert await fetching().fetch(parse_data_uri(text), PIN, MOST) == PIN
    assert "authorization" not in store.asked[0][1]


@pytest.mark.parametrize("token", ["", "canary-of-a-session"])
async def test_a_request_of_s3_is_signed_as_its_own_signer_signs(
    fetching: Make, store: ObjectServer, token: str
) -> None:
    store.accounts["AKIDTEST"] = SECRET
    store.answers["/bucket/a%20b/r%2B%C3%A9.jsonl"] = Answer(ROWS)
    account = {"AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": token}
    uri = parse_data_uri("s3://bucket/a b/r+é.jsonl")

    refused = await refusal(fetching(secrets={**account, "AWS_SECRET_ACCESS_KEY": "another-secret"}), uri)

    assert await fetching(secrets=account).fetch(uri, PIN, MOST) == PIN
    assert refused.code == "GT424"
    assert "SignatureDoesNotMatch" in refused.message
    assert "canary" not in refused.message


async def test_the_shared_files_of_aws_are_read_and_no_program_of_theirs_is_run(tmp_path: Path) -> None:
    folder = tmp_path / ".aws"
    folder.mkdir()
    marker = tmp_path / "it-ran"
    (folder / "config").write_text(
        f"[default]\nregion = eu-central-1\ncredential_process = touch {marker}\n"
        f"[profile keys]\nregion = ap-south-1\naws_access_key_id = AKIDFILE\naws_secret_access_key = {SECRET}\n"
    )

    nobody = signer({"HOME": str(tmp_path)})
    found = signer({"HOME": str(tmp_path), "AWS_PROFILE": "keys"})

    assert nobody is None
    assert not marker.exists()
    assert found is not None
    assert (found.region, SECRET in repr(found)) == ("ap-south-1", False)


async def test_googles_token_is_sent_and_asked_for_anew_where_it_is_stale(fetching: Make, store: ObjectServer) -> None:
    store.bearer = f"fresh-{SECRET}"
    store.answers["/storage/v1/b/bucket/o/rows.jsonl"] = Answer(ROWS)

    assert await fetching(google=Token()).fetch(parse_data_uri("gs://bucket/rows.jsonl"), PIN, MOST) == PIN
    assert [headers["authorization"][7:12] for _, headers in store.asked] == ["stale", "fresh"]


async def test_the_hubs_token_goes_to_the_hub_and_not_to_where_it_keeps_its_files(
    fetching: Make, store: ObjectServer
) -> None:
    with ObjectServer({"/cdn/blob": Answer(ROWS)}).running() as elsewhere:
        path = f"/datasets/o/n/resolve/{COMMIT}/rows.jsonl"
        store.answers[path] = Answer(code=302, headers={"Location": f"{elsewhere.url}/cdn/blob?sig=canary"})
        listed = f"hf:// {elsewhere.url} {store.url}"

        assert (
            await fetching(listed, {"HF_TOKEN": SECRET}).fetch(
                parse_data_uri(f"hf://datasets/o/n@{COMMIT}/rows.jsonl"), PIN, MOST
            )
            == PIN
        )

    assert store.asked[0][1]["authorization"] == f"Bearer {SECRET}"
    assert "authorization" not in elsewhere.asked[0][1]


async def test_what_is_kept_counts_for_the_address_it_came_from_alone(
    fetching: Make, store: ObjectServer, kept: Kept
) -> None:
    one = fetching()
    uri = at(store)
    await one.fetch(uri, PIN, MOST)
    elsewhere = parse_data_uri(f"{store.url}/b/rows.jsonl")
    of_another = fetching(realm="another repository")

    assert data_of(kept.open(one.origin(uri), PIN, MOST)) == ROWS
    assert kept.open(one.origin(elsewhere), PIN, MOST) is None
    assert kept.open(of_another.origin(uri), PIN, MOST) is None


async def test_a_damaged_file_is_not_read_and_makes_room_for_a_whole_one(
    fetching: Make, store: ObjectServer, kept: Kept
) -> None:
    one, uri = fetching(), at(store)
    await one.fetch(uri, PIN, MOST)
    kept.path(PIN).write_bytes(ROWS.replace(b"1", b"7", 1))

    assert kept.open(one.origin(uri), PIN, MOST) is None
    await one.fetch(uri, PIN, MOST)
    assert data_of(kept.open(one.origin(uri), PIN, MOST)) == ROWS


async def test_what_was_used_longest_ago_goes_where_all_is_too_much(
    fetching: Make, store: ObjectServer, tmp_path: Path
) -> None:
    kept = Kept(tmp_path / "small", most=2 * len(ROWS) + 10)
    one = fetching(kept=kept)
    digests = [await one.fetch(at(store, f"/{n}", ROWS + b"%d" % n), None, MOST) for n in range(3)]

    assert [kept.path(digest).exists() for digest in digests] == [False, True, True]


async def test_many_fetch_the_same_at_once(fetching: Make, store: ObjectServer, kept: Kept) -> None:
    one, uri = fetching(), at(store)

    found = await asyncio.gather(*(one.fetch(uri, PIN, MOST) for _ in range(8)))

    assert set(found) == {PIN}
    assert data_of(kept.open(one.origin(uri), PIN, MOST)) == ROWS
    assert list((kept.path(PIN).parents[2] / "incoming").iterdir()) == []


async def test_a_server_that_is_busy_is_asked_again(fetching: Make, store: ObjectServer) -> None:
    uri = at(store)
    whole, tries = store.answers["/a/rows.jsonl"], iter([503, 500])
    plain = store.answer

    def answer(path: str, headers: dict[str, str]) -> Answer:
        code = next(tries, 0)
        plain(path, headers)
        return Answer(code=code) if code else whole

    store.answer = answer  # type: ignore[method-assign, assignment] # the server of this test alone

    assert await fetching().fetch(uri, PIN, MOST) == PIN
    assert len(store.asked) == 3


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("AWS_ENDPOINT_URL_S3", "s3://bucket/x"),
        ("STORAGE_EMULATOR_HOST", "gs://bucket/x"),
        ("HF_ENDPOINT", f"hf://datasets/o/n@{COMMIT}/x"),
    ],
)
async def test_another_service_has_to_be_on_the_list_itself(
    fetching: Make, store: ObjectServer, variable: str, text: str
) -> None:
    listed = "s3://bucket gs://bucket hf://"

    found = await refusal(fetching(listed, environ={variable: store.url}), parse_data_uri(text))

    assert (found.code, variable in found.message, store.url in found.hint) == ("GT424", True, True)
    assert store.asked == []


async def test_an_emulator_of_buckets_gets_no_credentials(fetching: Make, store: ObjectServer) -> None:
    store.answers["/storage/v1/b/bucket/o/rows.jsonl"] = Answer(ROWS)
    emulated = fetching(google=Token(), environ={"STORAGE_EMULATOR_HOST": store.url.removeprefix("http://")})

    assert await emulated.fetch(parse_data_uri("gs://bucket/rows.jsonl"), PIN, MOST) == PIN
    assert "authorization" not in store.asked[0][1]


async def test_a_refusal_says_how_to_get_in(fetching: Make, store: ObjectServer) -> None:
    store.answers["/bucket/x"] = Answer(b"<Error><Code>AccessDenied</Code></Error>", 403)
    store.answers["/bucket/far"] = Answer(b"", 301, {"x-amz-bucket-region": "ap-south-1"})

    denied = await refusal(fetching(), parse_data_uri("s3://bucket/x"))
    missing = await refusal(fetching(), parse_data_uri("gs://bucket/x"))
    far = await refusal(fetching(), parse_data_uri("s3://bucket/far"))

    assert (denied.code, "AWS_ACCESS_KEY_ID" in denied.hint, "AccessDenied" in denied.message) == ("GT424", True, True)
    assert (missing.code, "GOOGLE_APPLICATION_CREDENTIALS" in missing.hint) == ("GT424", True)
    assert far.hint == "The bucket is in ap-south-1: set AWS_REGION=ap-south-1."

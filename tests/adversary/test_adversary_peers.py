"""What a hostile, slow or broken peer can do to a client of ours: take bounded time, and learn nothing."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from controller.cli.main import run
from controller.engine.snapshot import observe
from controller.errors import CodeHostError, OutcomeUnknown, ProviderError, Rejected, Transient
from controller.forges.github.client import GitHub
from controller.ports import CreateRequest, ObserveRequest, Ports, Provider
from controller.ports.code_host import Said
from controller.providers import Doors, Trust, Trusted, open_provider
from controller.rest import ClientLimits, Secret, Timing, ask_once
from controller.settings import ProviderSettings
from controller.state.desired import Example, Sampling
from controller.state.identity import Hyperparameters
from controller.state.observed import ObservedProvider
from controller.system import SystemChance, SystemClock
from controller.testing import MemoryLedger, MemorySource, SilentReporter
from tests.adversary.peers import BROKEN, FLOODS, MODELS, PAGES, REDIRECTS, SLOW, Peer, Say, once, whole
from tests.engine.stage import rows, spec_text

KEY = "canary-9f8e7d6c5b4a-key"
MEGABYTE = 1 << 20
LIMITS = ClientLimits(
    deadline=0.6,
    long=0.6,
    reading=0.9,
    connect=0.5,
    raw_bytes=MEGABYTE,
    decoded_bytes=MEGABYTE,
    tries=2,
    first_backoff=0.01,
    longest_backoff=0.02,
)
PATIENT = replace(LIMITS, deadline=4.0, reading=4.0)  # both are in one loop, and the bad one keeps it busy
WELL = once(whole(MODELS))
WANT = ObserveRequest(frozenset({"tunedModels/known"}), frozenset({"models/tiny"}))
CREATE = CreateRequest(
    model="tunedModels/numbers-abc-1",
    base="models/tiny",
    display_name="Numbers",
    description="",
    hyperparameters=Hyperparameters(),
    sampling=Sampling(),
    examples=(Example("1", "2"),),
)


@asynccontextmanager
async def provider(url: str, limits: ClientLimits = LIMITS, key: str = "cloud") -> AsyncIterator[Provider]:
    made = await open_provider(
        ProviderSettings(key, "gemini", endpoint=url),
        {"GEMINI_API_KEY": KEY},
        Path("/nowhere"),
        Doors(SystemClock(), SystemChance(), limits=limits),
        Trust((Trusted(url),)),
    )
    try:
        yield made
    finally:
        await made.close()


def told(seen: ObservedProvider) -> str:
    return f"{seen.error} {seen.hint}"


async def looked(say: Say, *, trace: bool = False) -> tuple[ObservedProvider, ObservedProvider, Peer, Peer]:
    """A hostile provider and a good one, observed together as a pass does it; and whoever is not to be asked."""
    with ExitStack() as stack:
        other = stack.enter_context(Peer(WELL).running())
        bad = stack.enter_context(Peer(say, other.url).running())
        good = stack.enter_context(Peer(WELL).running())
        async with provider(bad.url) as one, provider(good.url, PATIENT, key="good") as two:
            clock, chance = SystemClock(), SystemChance()
            ports = Ports(
                MemorySource({}), {"cloud": one, "good": two}, MemoryLedger(), clock, chance, SilentReporter(), "a/b"
            )
            if trace:
                tracemalloc.start()
            began, used = time.monotonic(), time.thread_time()
            seen = await observe(ports, {"cloud": WANT, "good": ObserveRequest()})
            took, used = time.monotonic() - began, time.thread_time() - used
            if trace:
                peak = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
                assert peak < 24 * MEGABYTE
    # The deadlines are a second in all; the rest is what a machine with other work takes.
    assert took < 5.0
    assert used < 2.5
    return seen.providers["cloud"], seen.providers["good"], bad, other


async def test_a_well_behaved_peer_passes_and_a_breach_would_be_seen() -> None:
    """The control of all that follows: what is asserted of hostile peers does not hold for this one."""
    with Peer(WELL).running() as peer:
        async with provider(peer.url) as made:
            seen = await made.observe(ObserveRequest())
    assert (seen.complete, seen.error) == (True, "")
    assert KEY.encode() in peer.requests[0]
    with Peer(WELL).running() as peer:
        answered = await asyncio.to_thread(ask_once, "GET", peer.url, None, {"authorization": KEY}, 5.0)
    assert not isinstance(answered, str)
    assert (answered.code, answered.body) == (200, MODELS)
    with Peer(SLOW["silence"]).running() as peer:
        began = time.monotonic()
        async with provider(peer.url, replace(LIMITS, deadline=3.0, reading=3.0)) as made:
            await made.observe(ObserveRequest())
    assert time.monotonic() - began > 2.0  # the time is the deadline's, not the peer's


ATTACKS = SLOW | FLOODS | BROKEN | REDIRECTS


@pytest.mark.parametrize("name", ATTACKS)
async def test_a_provider_that_behaves_so_is_not_read_in_time_and_the_other_is(name: str) -> None:
    cloud, good, bad, other = await looked(ATTACKS[name])
    assert not cloud.complete
    assert not cloud.absent  # nothing proves that a known model is gone
    assert told(cloud).isprintable()
    assert len(told(cloud)) < 1000
    assert "secret" not in told(cloud).replace("secrets", "")
    assert KEY not in told(cloud)
    assert "AIza" not in told(cloud)
    assert good.complete
    assert not other.requests
    assert bad.connections < 40


@pytest.mark.parametrize("name", PAGES)
async def test_pages_without_end_are_not_read_for_ever(name: str) -> None:
    cloud, good, bad, _ = await looked(PAGES[name]())
    assert not cloud.complete
    assert good.complete
    assert len(bad.requests) < 2000


@pytest.mark.parametrize("name", ["a body without a length", "a gzip bomb", "chunks", "headers", "interim answers"])
async def test_a_flood_is_not_held_in_memory(name: str) -> None:
    cloud, _, _, _ = await looked(FLOODS[name], trace=True)
    assert not cloud.complete


@pytest.mark.parametrize("name", sorted(FLOODS.keys() - {"a deflate bomb"}))
async def test_a_flood_ends_by_what_it_sends_and_not_by_its_time(name: str) -> None:
    limits = replace(LIMITS, deadline=30.0, reading=30.0, tries=1)
    with Peer(FLOODS[name]).running() as bad:
        async with provider(bad.url, limits) as made:
            began, used = time.monotonic(), time.thread_time()
            seen = await made.observe(ObserveRequest())
            took, used = time.monotonic() - began, time.thread_time() - used
    assert not seen.complete
    assert "time allowed" not in seen.error
    assert took < 15.0
    assert used < 6.0


@pytest.mark.parametrize("name", ["interim answers", "headers", "a gzip bomb", "307 to another host", "two lengths"])
def test_the_command_itself_says_so_and_ends(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with Peer(WELL).running() as other, Peer(ATTACKS[name], other.url).running() as bad:
        (tmp_path / "gitune.yaml").write_text(
            "apiVersion: gitune.dev/v1alpha1\nkind: Controller\n"
            f"providers: {{local: {{type: local, endpoint: '{bad.url}'}}}}\n"
        )
        (tmp_path / "specs").mkdir()
        (tmp_path / "specs" / "rows.jsonl").write_text(rows())
        (tmp_path / "specs" / "numbers.yaml").write_text(spec_text())
        began = time.monotonic()
        code = run(["plan", "--root", str(tmp_path)])
        took = time.monotonic() - began
        assert not other.requests
    said = capfd.readouterr()
    assert code == 1
    assert "local" in said.out + said.err
    assert took < 45.0


# What says for sure that nothing was begun: the next pass may decide again. "See other" and its like do not.
REFUSED = {"a proxy's sign-in", "a challenge of another realm", "come back at once, always", *REDIRECTS} - {
    "by Refresh",
    "by Content-Location",
    *(f"{code} to another host" for code in (300, 303, 305)),
}


@pytest.mark.parametrize("name", ATTACKS)
async def test_a_create_is_sent_once_and_called_unknown_unless_it_was_refused(name: str) -> None:
    """P1: whatever a peer makes of the answer, nothing is paid for twice."""
    with Peer(WELL).running() as other, Peer(ATTACKS[name], other.url).running() as bad:
        async with provider(bad.url) as made:
            began = time.monotonic()
            with pytest.raises(ProviderError) as caught:
                await made.create(CREATE)
            took = time.monotonic() - began
        posts = [request for request in bad.requests if request.startswith(b"POST ")]
        assert not other.requests
    assert len(posts) == 1
    assert took < 5.0
    assert isinstance(caught.value, Rejected | Transient if name in REFUSED else OutcomeUnknown)
    assert KEY not in caught.value.message + caught.value.hint


# A token's answer is not unpacked, so there a deflate bomb is fifty harmless kilobytes.
TOKENS = {name: say for name, say in (SLOW | FLOODS).items() if name != "a deflate bomb"} | {
    name: BROKEN[name] for name in ("the end at once", "no HTTP", "a chunk cut", "two lengths")
}


@pytest.mark.parametrize("name", TOKENS)
async def test_a_token_endpoint_that_behaves_so_is_given_up_and_its_thread_with_it(name: str) -> None:
    with Peer(TOKENS[name]).running() as bad:
        began = time.monotonic()
        found = await asyncio.to_thread(ask_once, "POST", bad.url, b"secret", {"x-token": KEY}, 0.5)
        assert time.monotonic() - began < 4.0
    assert isinstance(found, str)
    assert KEY not in found


# Whatever is JSON may be a comment whose fields are missing.
READABLE = {"a list", "a number", "text", "a page token that stays", *(name for name in BROKEN if "model" in name)}
QUICK = {name: say for name, say in (FLOODS | BROKEN | REDIRECTS).items() if name not in READABLE}


@pytest.mark.parametrize("name", sorted(QUICK)[::3])
async def test_a_code_host_that_behaves_so_is_an_error_and_learns_no_token(name: str) -> None:
    clock, chance = SystemClock(), SystemChance()

    async def soon(_: float) -> None:
        await asyncio.sleep(0)

    timing = Timing(clock.now, clock.monotonic, soon, chance.uniform)
    with Peer(WELL).running() as other, Peer(QUICK[name], other.url).running() as bad:
        client = GitHub("acme/models", Secret(KEY), timing, endpoint=bad.url)
        try:
            with pytest.raises(CodeHostError) as caught:
                await asyncio.wait_for(client.create_comment(7, Said("hello")), 10)
        finally:
            await client.close()
        assert not other.requests
        assert sum(request.startswith(b"POST ") for request in bad.requests) <= 2  # again only after a rate limit
    assert KEY not in caught.value.message + caught.value.hint

"""Two hundred models in every state, and pages of them in a real browser with a script of the test beside ours."""

from __future__ import annotations

import asyncio
import html
import http.client
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.daemon.view import StatusView
from controller.daemon.web.server import Served
from controller.plan.actions import Guard, Hold, Plan
from controller.plan.world import World
from controller.ports import Landing
from controller.providers.gemini.facts import FACTS as GEMINI
from controller.settings import Budget, Policy
from controller.state.conditions import Condition, ConditionType, Truth
from controller.state.desired import BaseModel, Dataset, Desired, DesiredModel, Evaluation, Example, Place
from controller.state.identity import Hyperparameters
from controller.state.observed import LossPoint, Observed
from controller.state.reasons import Reason
from controller.state.recorded import Advice, Record, Recorded, Run, RunOutcome, Score, Slot
from controller.testing.clock import START, FakeClock
from tests.browser import document
from tests.daemon.household import Household

REVISION = "0123456789abcdef0123456789abcdef01234567"
ROWS = "e" * 64
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "w" * 300,
    "نموذج-الدعم",
    "🙂🚀-model",
    "a b/c?d#e&f=g",
    "right\u202eto\u2066left\u200b",
    "{{ 7 * 7 }}{% raw %}",
    "]]>--><!--",
    "javascript:alert(3)",
)
ASKED = Evaluation(Dataset.of("specs/rows.eval.jsonl", ROWS, ()), "exactMatch", 0.8)


def losses(count: int) -> tuple[LossPoint, ...]:
    """A curve with a point every two seconds."""
    times = (START + timedelta(seconds=2 * n) for n in range(count))
    return tuple(
        LossPoint(n + 1, n // 10, 4.0 / (n + 1), at.isoformat().replace("+00:00", "Z")) for n, at in enumerate(times)
    )


def _run(name: str, **fields: Any) -> Run:
    made = Run(
        model=f"tunedModels/{name}-1",
        provider_type="gemini",
        base="models/tiny",
        fingerprint="a" * 64,
        attempt=1,
        dataset_digest="d" * 64,
        resolved=Hyperparameters(epoch_count=4, batch_size=4, learning_rate=0.001),
        revision=REVISION,
        started="2026-03-01T10:00:00Z",
        ended="2026-03-01T10:02:00Z",
        outcome=RunOutcome.SUCCEEDED,
        total_steps=40,
        completed_steps=40,
        losses=losses(40),
        score=Score("exactMatch", ROWS, 94, 100, baseline=33),
        advice=Advice(3, "the loss is flat after epoch 3"),
        cost=0.07,
    )
    return replace(made, **fields)


def _conditions(kind: ConditionType, reason: Reason, message: str = "") -> tuple[Condition, ...]:
    ready = Truth.TRUE if kind is ConditionType.READY else Truth.FALSE
    stands = () if kind is ConditionType.READY else (Condition(kind, Truth.TRUE, reason, message),)
    return (Condition(ConditionType.READY, ready, reason, message), *stands)


def ready(name: str) -> Record:
    """It serves, and another run served before it."""
    run = _run(name)
    before = _run(name, model=f"tunedModels/{name}-0", score=Score("exactMatch", ROWS, 91, 100))
    serves, old = Slot(run.model, "a" * 64, 1, "Active"), Slot(before.model, "b" * 64, 1, "Active")
    conditions = _conditions(ConditionType.READY, Reason.UP_TO_DATE)
    return Record(
        name=name, provider="gemini", active=serves, retired=(old,), runs=(before, run), conditions=conditions
    )


def tuning(name: str) -> Record:
    """It tunes beside the run that serves."""
    run = _run(
        name,
        model=f"tunedModels/{name}-2",
        outcome=RunOutcome.TUNING,
        ended="",
        completed_steps=10,
        losses=losses(10),
        score=None,
    )
    there = ready(name)
    conditions = _conditions(ConditionType.RECONCILING, Reason.TUNING, "10 of 40 steps")
    return replace(
        there, pending=Slot(run.model, "c" * 64, 1, "Creating"), runs=(*there.runs, run), conditions=conditions
    )


def evaluated(name: str) -> Record:
    """Its new run has a score below the bar."""
    there = tuning(name)
    low = replace(there.runs[-1], outcome=RunOutcome.SUCCEEDED, score=Score("exactMatch", ROWS, 70, 100, unanswered=2))
    said = "score 0.700, 0.8 asked: the earlier run goes on serving"
    conditions = _conditions(ConditionType.STALLED, Reason.EVALUATION_FAILED, said)
    return replace(there, runs=(*there.runs[:-1], low), conditions=conditions)


def stalled(name: str) -> Record:
    """Its run failed, and a person has to act."""
    run = _run(name, outcome=RunOutcome.FAILED, error=f"out of memory in {name}", score=None, losses=())
    return Record(
        name=name,
        provider="local",
        runs=(run,),
        conditions=_conditions(ConditionType.STALLED, Reason.RUN_FAILED, run.error),
    )


def _held(name: str) -> Record:
    return Record(name=name, provider="local", conditions=_conditions(ConditionType.STALLED, Reason.BUDGET_EXCEEDED))


def _retired(name: str) -> Record:
    return replace(ready(name), orphaned=True)


def _unknown(name: str) -> Record:
    return Record(name=name, provider="local")


KINDS: tuple[Callable[[str], Record], ...] = (ready, tuning, evaluated, stalled, _held, _retired, _unknown)


def spec_of(record: Record) -> DesiredModel:
    """What git asks for under a record's name."""
    rows = tuple(Example(str(n), str(n + 1)) for n in range(140))
    return DesiredModel(
        name=record.name,
        place=Place("specs/a.yaml"),
        provider=record.provider,
        provider_type="gemini",
        base=BaseModel("models/tiny"),
        hyperparameters=Hyperparameters(),
        dataset=Dataset.of("specs/rows.jsonl", "d" * 64, rows),
        start=GEMINI.start,
        labels={"team": record.name[:5] if record.name in HOSTILE else "demo"},
        evaluation=ASKED,
    )


def gallery(count: int = 200) -> StatusView:
    """So many models, each state in turn, the hostile names in every one of the first states."""
    names = [*HOSTILE, *(f"model-{n}" for n in range(count - len(HOSTILE)))]
    records = {name: KINDS[n % len(KINDS)](name) for n, name in enumerate(names)}
    return view_of(records)


def view_of(records: dict[str, Record]) -> StatusView:
    """What a pass over these records leaves to be seen."""
    holds = tuple(
        Hold(name=name, provider="local", reason=Reason.RUN_FAILED, message=f"the run of {name} failed")
        for name in list(records)[:20]
    )
    guard = Guard("MaxDeletes", f"{HOSTILE[0]} would be deleted", ("old",), ("delete:old",))
    desired = Desired(REVISION, tuple(map(spec_of, records.values())))
    policy = Policy(budget=Budget(200.0, "USD"))
    written = Landing(REVISION, "", "Jane Roe <jane@example.com>", "2026-02-27T09:00:00+00:00", HOSTILE[1])
    return StatusView(
        following="/srv/models",
        remote="github.com/acme/models",
        revision=REVISION,
        records=records,
        world=World(desired, Recorded(records), Observed(), "acme/models", policy=policy, month="2026-03"),
        commits={REVISION: written},
        currency="USD",
        free=frozenset({"local"}),
        plan=Plan(REVISION, holds, (guard,), "c" * 64),
        looked=START,
        passed=START,
    )


AXE = """
addEventListener("load", async () => {
  const found = await axe.run(document, { resultTypes: ["violations"] });
  tell(found.violations.map((one) => [one.id, one.nodes.length, one.nodes.slice(0, 2).map((node) => node.html)]));
});
"""
# A window of Chromium is 500 pixels wide at the least: a phone is a frame, which a page of ours would not be shown in.
_FRAME = (
    '<!doctype html><title>A phone</title><iframe src="{path}" width="{width}" height="800" style="border:0"></iframe>'
)
_UNFRAMED = (b"x-frame-options", b"content-security-policy")
_TELL = """
function tell(value) {
  const place = document.createElement("pre");
  place.id = "told";
  place.textContent = JSON.stringify(value);
  top.document.body.append(place);
}
"""


@dataclass
class Stage:
    """A server of the daemon's own pages. ``script`` runs beside ours and calls `tell`; ``asked`` counts page loads."""

    house: Household
    script: str
    url: str = ""
    asked: int = 0
    on_page: Callable[[int], None] = lambda _number: None

    def plain(self, path: str) -> str:
        """A page as it is sent: what somebody sees whose browser runs no scripts."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def told_on_a_phone(self, browser: str, path: str, *flags: str) -> Any:
        """The same in a window of 360 pixels."""
        return self.told(browser, f"/test/frame?{urlencode({'path': path, 'width': 360})}", *flags)

    def told(self, browser: str, path: str = "/", *flags: str) -> Any:
        """What the script of the test told of a page."""
        seen = document(browser, f"{self.url}{path}", *flags)
        found = re.search(r'<pre id="told">(.*?)</pre>', seen, re.DOTALL)
        assert found is not None, seen[-2000:]
        return json.loads(html.unescape(found[1]))


@contextmanager
def staged(view: StatusView, script: str, *libraries: str) -> Iterator[Stage]:
    """The daemon's server over a view, with these scripts of the test in each page: by a source, as its policy asks."""
    house = Household()
    house.loop.view = view
    stage = Stage(house, script)
    scripts = {f"/test/{n}.js": text for n, text in enumerate((_TELL, *libraries, script))}
    app = _with_scripts(Served((house.loop,), FakeClock()).app(), scripts, stage)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, lifespan="off", ws="none"))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        while not server.started:
            thread.join(0.01)
        stage.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        yield stage
    finally:
        server.should_exit = True
        thread.join()


def _with_scripts(app: ASGIApp, scripts: dict[str, str], stage: Stage) -> ASGIApp:
    tags = "".join(f'<script src="{path}" defer></script>' for path in scripts).encode()

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] in scripts:
            await Response(scripts[scope["path"]], media_type="text/javascript")(scope, receive, send)
            return
        if scope["path"] == "/test/frame":
            asked = dict(parse_qsl(scope["query_string"].decode()))
            await Response(_FRAME.format_map(asked), media_type="text/html")(scope, receive, send)
            return
        if scope["path"] == "/":
            stage.asked += 1
            stage.on_page(stage.asked)
        head: list[Message] = []
        framed = (b"sec-fetch-dest", b"iframe") in scope["headers"]
        dropped = (b"content-length", *(_UNFRAMED if framed else ()))

        async def changed(message: Message) -> None:
            if message["type"] == "http.response.start":
                head.append(message)
                return
            body = message.get("body", b"").replace(b"</body>", tags + b"</body>")
            kept = [(key, value) for key, value in head[0]["headers"] if key not in dropped]
            await send({**head[0], "headers": [*kept, (b"content-length", str(len(body)).encode())]})
            await send({**message, "body": body})

        await app(scope, receive, changed)

    return served

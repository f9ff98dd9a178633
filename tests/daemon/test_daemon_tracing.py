"""Traces as a real collector gets them: what is in them, what is not, and that they keep nobody from work."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.daemon.tracing import is_wanted
from controller.forges.github.api import DIALECT
from controller.providers.google.envelope import GOOGLE
from controller.rest.endpoint import request_id, route_of
from controller.spans import span
from tests.daemon.collector import Collector, Taken
from tests.daemon.conftest import Yard
from tests.daemon.process import CODE, Running, running
from tests.e2e.stand import rows, spec
from tests.git.forges import forge

ERROR, CLIENT = 2, 3


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector().running() as one:
        yield one


def otel(collector: Collector, **more: str) -> dict[str, str]:
    named = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    return named | {f"OTEL_{name}": value for name, value in more.items()}


def at_rest(daemon: Running) -> bool:
    said = daemon.said("pass.ended")
    return bool(said) and said[-1]["next"] > 2.0


def settled(daemon: Running, yard: Yard, creates: int = 1) -> None:
    daemon.wait(lambda: sum(yard.service.created.values()) >= creates and at_rest(daemon))


def create(collector: Collector) -> Taken:
    (span,) = collector.named("effect create")
    return span


@pytest.mark.slow
def test_a_pass_is_a_span_with_its_look_plan_effects_requests_and_saves(
    yard: Yard, collector: Collector, tmp_path: Path
) -> None:
    with yard.daemon(**otel(collector)) as daemon:
        settled(daemon, yard)
        assert daemon.end() < 10.0
    assert collector.line(create(collector)) == ["effect create", "pass"]
    (sent,) = [
        s for s in collector.named("POST /v1beta/tunedModels") if s.attributes["http.response.status_code"] == 200
    ]
    assert collector.line(sent) == ["POST /v1beta/tunedModels", "effect create", "pass"]
    assert sent.kind == CLIENT
    assert sent.attributes["http.request.method"] == "POST"
    assert sent.attributes["url.template"] == "/v1beta/tunedModels"
    assert sent.attributes["server.address"] == "127.0.0.1"
    assert "http.request.resend_count" not in sent.attributes
    looks = {tuple(collector.line(s)) for s in collector.named("GET /v1beta/tunedModels")}
    assert ("GET /v1beta/tunedModels", "look", "pass") in looks
    assert collector.line(collector.named("plan")[0]) == ["plan", "pass"]
    assert {tuple(collector.line(s)) for s in collector.named("ledger.save")} == {("ledger.save", "pass")}
    assert any(s.attributes["gitune.written"] is True for s in collector.named("ledger.save"))
    facts = create(collector).attributes
    assert (facts["gitune.provider"], facts["gitune.operation"], facts["gitune.outcome"]) == ("local", "create", "done")
    assert facts["gitune.model"] in set(yard.service.created)
    passes = collector.named("pass")
    assert {s.attributes["gitune.result"] for s in passes} >= {"changed"}
    assert passes[0].parent == b""
    assert passes[0].resource["service.name"] == "gitune"


@pytest.mark.slow
def test_what_fails_is_told_by_its_class_and_each_try_is_a_span(yard: Yard, collector: Collector) -> None:
    listings = iter([503, 503])
    yard.service.fault = lambda method, path: (
        500 if method == "POST" else next(listings, None) if path.startswith("/v1beta/tunedModels?") else None
    )
    with yard.daemon(**otel(collector)) as daemon:
        daemon.wait(lambda: daemon.said("action.held"))
        daemon.wait(lambda: collector.named("effect create"))
        assert daemon.end() < 10.0
    tries = collector.named("GET /v1beta/tunedModels")
    assert [s.attributes.get("http.request.resend_count", 0) for s in tries[:3]] == [0, 1, 2]
    assert [s.attributes["http.response.status_code"] for s in tries[:3]] == [503, 503, 200]
    assert (tries[0].status, tries[0].attributes["error.type"]) == (ERROR, "Transient")
    failed = collector.named("effect create")[0]
    assert failed.status == ERROR
    assert failed.attributes["error.type"] == failed.attributes["gitune.outcome"] == "OutcomeUnknown"
    assert {span.events for span in collector.spans} == {0}


@pytest.mark.slow
def test_no_secret_no_row_and_no_description_is_sent(yard: Yard, collector: Collector) -> None:
    yard.repository.write("specs/rows.jsonl", rows().replace('"1"', '"a-very-private-row"'))
    yard.repository.write("specs/numbers.yaml", spec("numbers", 2) + "  description: a-very-private-description\n")
    yard.repository.commit()
    secrets = otel(collector, EXPORTER_OTLP_HEADERS="authorization=Bearer%20the-key-of-a-collector")
    with yard.daemon(GEMINI_API_KEY="the-key-of-a-provider", GITHUB_TOKEN="the-key-of-a-forge", **secrets) as daemon:
        settled(daemon, yard)
        daemon.end()
    sent = b"".join(collector.raw)
    assert b"effect create" in sent
    for private in (b"a-very-private", b"-key-of-"):
        assert private not in sent
    assert "-key-of-" not in "".join(daemon.lines)
    assert collector.headers[0]["authorization"] == "Bearer the-key-of-a-collector"


@pytest.mark.slow
def test_a_fetch_and_a_push_are_spans_and_the_service_is_called_as_the_variables_say(
    yard: Yard, collector: Collector, tmp_path: Path
) -> None:
    (tmp_path / "served").mkdir()
    yard.repository.git("clone", "-q", "--bare", str(yard.repository.root), str(tmp_path / "served" / "models.git"))
    named = otel(collector, SERVICE_NAME="models", RESOURCE_ATTRIBUTES="deployment.environment=test")
    with (
        forge(tmp_path / "served") as there,
        running("--repo", f"{there.url}/models.git", "--lease", "none", home=yard.home, **named) as daemon,
    ):
        settled(daemon, yard)
        assert daemon.end() < 10.0
    fetched = next(s for s in collector.named("git.fetch") if s.attributes["gitune.ref"] == "refs/heads/main")
    assert (fetched.kind, fetched.attributes["server.address"]) == (CLIENT, "127.0.0.1")
    assert collector.line(fetched)[-1] in {"pass", "git.fetch"}  # the first one reads gitune.yaml, before any pass
    assert {tuple(collector.line(s)) for s in collector.named("git.push")} == {("git.push", "ledger.save", "pass")}
    assert ("git.look", "pass") in {tuple(collector.line(s)) for s in collector.named("git.look")}
    resource = collector.spans[0].resource
    assert (resource["service.name"], resource["deployment.environment"]) == ("models", "test")


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["hangs", "away"])
def test_a_collector_in_trouble_keeps_nobody_from_work_and_no_process_from_its_end(
    yard: Yard, collector: Collector, trouble: str
) -> None:
    collector.slow = 20.0 if trouble == "hangs" else 0.0
    named = otel(collector)
    if trouble == "away":
        named["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9"
    with yard.daemon(**named) as daemon:
        settled(daemon, yard)
        assert daemon.end() < 4.0
        assert daemon.process.returncode == 0
    assert "Traceback" not in "".join(daemon.lines)


@pytest.mark.slow
def test_without_the_library_the_daemon_says_so_and_goes_on(yard: Yard, collector: Collector, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['opentelemetry'] = None\n")
    path = f"{tmp_path}{os.pathsep}{CODE}"
    with yard.daemon(**otel(collector), PYTHONPATH=path) as daemon:
        settled(daemon, yard)
        assert "pip install '.[otel]'" in daemon.said("tracing.off")[0]["hint"]
    assert collector.spans == []


@pytest.mark.slow
def test_a_variable_that_cannot_be_used_is_told_and_the_daemon_goes_on(yard: Yard, collector: Collector) -> None:
    with yard.daemon(**otel(collector, BSP_MAX_QUEUE_SIZE="0")) as daemon:
        settled(daemon, yard)
        assert "max_queue_size" in daemon.said("tracing.off")[0]["said"]
        assert daemon.end() < 10.0


@pytest.mark.slow
def test_a_request_that_failed_is_logged_with_what_the_other_side_calls_it_and_without_a_name(yard: Yard) -> None:
    listings = iter([503])
    yard.service.fault = lambda _, path: next(listings, None) if path.startswith("/v1beta/tunedModels?") else None
    yard.service.request_id = "r-17"
    with yard.daemon() as daemon:
        settled(daemon, yard)
        assert daemon.end() < 10.0
    (failed,) = daemon.said("request.failed")
    facts = {name: failed[name] for name in ("method", "route", "status", "request_id", "outcome", "host")}
    assert facts == {
        "method": "GET",
        "route": "/v1beta/tunedModels",
        "status": 503,
        "request_id": "r-17",
        "outcome": "Transient",
        "host": "127.0.0.1",
    }
    assert not daemon.said("request.done")


def test_nothing_of_it_is_imported_where_nobody_asked() -> None:
    script = (
        "import sys; from controller.daemon.tracing import tracing\n"
        "import controller.cli.run\n"
        "with tracing({}): pass\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('opentelemetry', 'lightkube', 'requests')])"
    )
    env = {**os.environ, "PYTHONPATH": str(CODE)}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", **ENDPOINT}, False),
        ({"OTEL_TRACES_EXPORTER": "zipkin", **ENDPOINT}, False),
        ({"OTEL_SDK_DISABLED": "True", **ENDPOINT}, False),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", **ENDPOINT}, False),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", **ENDPOINT}, True),
        (
            {
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
                **ENDPOINT,
            },
            True,
        ),
    ],
)
def test_the_standard_variables_switch_it_on_and_off(environ: dict[str, str], wanted: object) -> None:
    assert is_wanted(environ) is wanted


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/v1beta/tunedModels", "/v1beta/tunedModels"),
        ("/v1beta/tunedModels/triage-1", "/v1beta/tunedModels/{id}"),
        ("/v1beta/tunedModels/triage-1:generateContent", "/v1beta/tunedModels/{id}:generateContent"),
        ("/v1/tunedModels/x/operations/9:cancel", "/v1/tunedModels/{id}/operations/{id}:cancel"),
        ("/v1beta/models/tiny:mine", "/v1beta/models/{id}"),
        ("/services/T000/B000/secret", "/{id}/{id}/{id}/{id}"),
        ("/repos/acme/models/issues/1", "/{id}/{id}/models/{id}/{id}"),
    ],
)
def test_a_route_holds_no_name_that_somebody_chose(path: str, route: str) -> None:
    assert route_of(path, GOOGLE.words) == route


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({}, ""),
        ({"x-request-id": "abc-123"}, "abc-123"),
        ({"x-github-request-id": "C0FE:1"}, "C0FE:1"),
        ({"x-request-id": "two words"}, ""),
        ({"x-request-id": "x" * 129}, ""),
    ],
)
def test_the_other_sides_name_of_a_request_is_kept_where_it_is_one(headers: dict[str, str], found: str) -> None:
    assert request_id(headers, DIALECT.request_ids) == found


def test_without_a_listener_each_span_is_the_same_silent_one() -> None:
    silent = span("pass")
    assert span("effect", number=1) is silent
    with silent as told:
        told.tell(outcome="done")

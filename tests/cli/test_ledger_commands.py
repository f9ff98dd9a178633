"""Commands that read or write the ledger without a provider: status, and the acts that refuse."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from controller.ledger.directory import DirectoryLedger
from controller.state.conditions import Condition, ConditionType, Truth
from controller.state.observed import LossPoint
from controller.state.reasons import Reason
from controller.state.recorded import Record, Run, RunOutcome, Slot
from tests.cli.running import Commit, Process, WriteSpec

PRINT = "a1" * 32
MODEL = "tunedModels/numbers-aaaaaaaaaa-1"


def record() -> Record:
    losses = tuple(LossPoint(n + 1, n // 20 + 1, 4.0 * 0.95**n) for n in range(100))
    run = Run(
        model=MODEL,
        provider_type="local",
        base="models/tiny",
        fingerprint=PRINT,
        attempt=1,
        dataset_digest="b2" * 32,
        outcome=RunOutcome.SUCCEEDED,
        total_steps=100,
        completed_steps=100,
        losses=losses,
    )
    return Record(
        name="numbers",
        provider="local",
        conditions=(Condition(ConditionType.READY, Truth.TRUE, Reason.UP_TO_DATE),),
        active=Slot(MODEL, PRINT, 1, "Active", provider="local"),
        runs=(run,),
        prefix="number: ",
    )


def save(folder: Path, records: Mapping[str, Record]) -> None:
    asyncio.run(DirectoryLedger(folder).save(records, None, "test"))


@pytest.fixture
def recorded(folder: Path, spec: WriteSpec) -> Path:
    """A folder outside git with one spec and one recorded model."""
    spec("numbers")
    save(folder / ".gitune", {"numbers": record()})
    return folder


def test_status_shows_every_model_and_one_with_its_curve(gitune: Process, recorded: Path) -> None:
    table = gitune("status")
    assert table.returncode == 0
    assert [line.split()[:2] for line in table.stdout.splitlines()] == [["MODEL", "STATE"], ["numbers", "Ready"]]
    one = gitune("status", "numbers")
    assert f"mean loss of {MODEL}" in one.stdout
    assert "⠉" in one.stdout
    assert '"number: "' in one.stdout


def test_status_in_json_holds_the_curve(gitune: Process, recorded: Path) -> None:
    (model,) = json.loads(gitune("status", "-o", "json").stdout)["models"]
    assert model["active"]["model"] == MODEL
    assert model["runs"][0]["losses"][0] == {"step": 1, "epoch": 1, "meanLoss": 4.0, "time": ""}
    assert gitune("status", "-o", "markdown").stdout.startswith("| model | state |")


def test_a_name_the_ledger_does_not_know_is_an_error_that_names_what_it_knows(gitune: Process, recorded: Path) -> None:
    for command in (("status", "other"), ("resolve", "other"), ("generate", "other", "x"), ("approve-delete", "other")):
        done = gitune(*command)
        assert (done.returncode, done.stdout) == (1, "")
        assert "error: the ledger knows no other" in done.stderr
        assert "numbers" in done.stderr


def test_resolve_prints_what_callers_use(gitune: Process, recorded: Path) -> None:
    text = dict(line.split(maxsplit=1) for line in gitune("resolve", "numbers").stdout.splitlines())
    assert (text["model"], text["prefix"]) == (MODEL, '"number: "')
    assert json.loads(gitune("resolve", "numbers", "-o", "json").stdout) == {
        "schemaVersion": 1,
        "name": "numbers",
        "provider": "local",
        "model": MODEL,
        "fingerprint": PRINT,
        "attempt": 1,
        "prefix": "number: ",
    }
    assert f"| model | `{MODEL}` |" in gitune("resolve", "numbers", "-o", "markdown").stdout


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (("x" * 40_000,), b"", "40,000 characters"),
        (("",), b"", "the prompt is empty"),
        (("-",), b"\xff\xfe", "stdin is not UTF-8 text (byte 0)"),
        (("x", "--system", "be kind"), b"", "no system instruction"),
        (("x", "--json-mode"), b"", "no JSON mode"),
    ],
)
def test_generate_refuses_what_a_tuned_model_cannot_do(
    gitune: Process, recorded: Path, arguments: tuple[str, ...], stdin: bytes, said: str
) -> None:
    done = gitune("generate", "numbers", *arguments, stdin=stdin)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert "\nhint: " in done.stderr


def test_an_intent_that_is_not_open_cannot_be_forgotten(gitune: Process, recorded: Path) -> None:
    done = gitune("forget", "numbers", "--intent", "-o", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["message"] == "numbers has no open intent"


def test_an_empty_ledger_says_what_starts(gitune: Process, spec: WriteSpec) -> None:
    spec("numbers")
    assert "No model is recorded yet" in gitune("status").stdout
    assert json.loads(gitune("status", "-o", "json").stdout) == {
        "schemaVersion": 1,
        "models": [],
        "ledgerWritten": None,
        "observed": None,
        "unread": [],
    }


def test_a_garbled_ledger_stops_status_with_its_file(gitune: Process, recorded: Path) -> None:
    (recorded / ".gitune" / "status" / "numbers.yaml").write_text("nonsense: [\n")
    done = gitune("status")
    assert done.returncode == 1
    assert "numbers.yaml" in done.stderr


def test_an_offline_plan_tells_of_the_files_that_are_not_committed(
    gitune: Process, folder: Path, spec: WriteSpec, commit: Commit
) -> None:
    spec("numbers")
    commit("one")
    clean = gitune("plan", "--offline")
    assert clean.returncode == 0
    assert "differ" not in clean.stderr
    assert "+ create  numbers on local" in clean.stdout
    with (folder / "specs/numbers.jsonl").open("a") as rows:
        rows.write('{"text_input": "more", "output": "1"}\n')
    moved = gitune("plan", "--offline")
    assert "they differ in specs/numbers.jsonl" in moved.stderr
    assert "101 examples" in moved.stdout


def test_an_offline_plan_against_a_base_leaves_out_what_the_base_plans_too(
    gitune: Process, folder: Path, spec: WriteSpec, commit: Commit
) -> None:
    spec("numbers")
    commit("one")
    spec("letters")
    commit("two")
    shown = json.loads(gitune("plan", "--offline", "--base", "HEAD~1", "-o", "json").stdout)
    assert [(a["name"], a["action"]) for a in shown["actions"]] == [("letters", "create")]
    assert shown["digest"] == json.loads(gitune("plan", "--offline", "-o", "json").stdout)["digest"]


def test_a_base_is_judged_by_its_own_gitune_yaml(
    gitune: Process, folder: Path, spec: WriteSpec, commit: Commit
) -> None:
    spec("numbers")
    (folder / "gitune.yaml").write_text("apiVersion: gitune.dev/v1alpha1\nkind: Controller\nspecs: ['specs/*.yaml']\n")
    commit("one")
    (folder / "gitune.yaml").write_text("apiVersion: gitune.dev/v1alpha1\nkind: Controller\nspecs: ['none/*.yaml']\n")
    spec("letters")
    commit("two")
    shown = json.loads(gitune("plan", "--offline", "--base", "HEAD~1", "-o", "json").stdout)
    assert [a["name"] for a in shown["actions"]] == ["letters"]


@pytest.mark.parametrize(("arguments", "code"), [((), 0), (("--detailed-exitcode",), 2)])
def test_a_plan_exits_2_for_changes_only_when_asked(
    gitune: Process, spec: WriteSpec, commit: Commit, arguments: tuple[str, ...], code: int
) -> None:
    spec("numbers")
    commit("one")
    assert gitune("plan", "--offline", *arguments).returncode == code


def test_an_invalid_spec_is_shown_in_the_plan_and_exits_1(gitune: Process, spec: WriteSpec, commit: Commit) -> None:
    spec("numbers", "  nonsense: 1\n")
    commit("one")
    done = gitune("plan", "--offline", "--detailed-exitcode")
    assert done.returncode == 1
    assert "! hold    numbers" in done.stdout
    assert "error: spec numbers cannot be used" in done.stderr


def test_a_plan_outside_git_says_that_apply_takes_the_files_on_disk(gitune: Process, spec: WriteSpec) -> None:
    spec("numbers")
    told = gitune("plan", "--offline").stderr.splitlines()
    assert "note: there is no git here: apply acts on these files as they are, on providers that cost nothing" in told
    assert "commit" not in "".join(told)


def test_a_plan_before_the_first_commit_is_that_of_the_files_whoever_they_will_be_marked_for(
    gitune: Process, folder: Path, spec: WriteSpec
) -> None:
    spec("numbers")
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=folder, check=True)
    unnamed = gitune("plan", "--offline")
    hint = "Commit the specs; where there are none yet, `gitune init` writes a first one."
    assert gitune("apply").stderr == f"error: the branch main has no commit yet\nhint: {hint}\n"
    (folder / "gitune.yaml").write_text("apiVersion: gitune.dev/v1alpha1\nkind: Controller\ninstance: acme/models\n")
    named = gitune("plan", "--offline")
    for done in (unnamed, named):
        assert done.returncode == 0
        assert "apply acts on commits, and there is none" in done.stderr


def test_another_plan_than_the_approved_one_is_shown_and_refused(
    gitune: Process, spec: WriteSpec, commit: Commit
) -> None:
    spec("numbers", "  suspend: true\n")
    commit("one")
    done = gitune("apply", "--plan-digest", "0" * 64, "-o", "json")
    shown = json.loads(done.stdout)
    assert done.returncode == 3
    assert shown["summary"] == {"hold": 1}
    assert shown["error"]["class"] == "UnsafePlan"
    assert "something moved" in done.stderr
    text = gitune("apply", "--plan-digest", "0" * 64)
    assert "! hold    numbers" in text.stdout
    assert "! hold    `numbers`" not in gitune("apply", "--plan-digest", "0" * 64, "-o", "markdown").stdout


def test_a_suspended_spec_needs_nobody(gitune: Process, spec: WriteSpec, commit: Commit) -> None:
    spec("numbers", "  suspend: true\n")
    commit("one")
    done = gitune("apply")
    assert done.returncode == 0
    assert "hold    numbers  Suspended" in done.stdout
    assert gitune("apply", "-o", "markdown").stdout.startswith("### Gitune apply")
    (outcome,) = json.loads(gitune("apply", "-o", "json").stdout)["outcomes"]
    assert (outcome["name"], outcome["action"], outcome["reason"]) == ("numbers", "hold", "Suspended")


def test_status_offline_reads_the_branch_of_this_repository(
    gitune: Process, folder: Path, tmp_path: Path, spec: WriteSpec, commit: Commit
) -> None:
    spec("numbers", "  suspend: true\n")
    commit("one")
    gitune("apply")
    local = gitune("status", "-o", "json").stdout
    assert json.loads(local)["models"][0]["name"] == "numbers"
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "origin")], check=True)
    subprocess.run(["git", "remote", "add", "origin", str(tmp_path / "origin")], cwd=folder, check=True)
    assert json.loads(gitune("status", "-o", "json").stdout)["models"] == []
    assert gitune("status", "--offline", "-o", "json").stdout == local


def test_doctor_names_the_fix_of_what_is_wrong(gitune: Process, folder: Path, spec: WriteSpec, commit: Commit) -> None:
    spec("numbers", "  nonsense: 1\n")
    (folder / "gitune.yaml").write_text(
        "apiVersion: gitune.dev/v1alpha1\nkind: Controller\n"
        "defaultProvider: cloud\nproviders: {cloud: {type: gemini, endpoint: 'http://127.0.0.1:9'}}\n"
    )
    commit("one")
    done = gitune("doctor", "-o", "json")
    found = {f["subject"]: f for f in json.loads(done.stdout)["findings"]}
    assert done.returncode == 1
    assert found["repository"]["well"]
    assert found["specs"]["fix"] == "gitune validate shows every problem"
    bad = [f for f in found.values() if not f["well"]]
    assert len(bad) >= 2
    assert all(f["fix"] for f in bad)
    assert "FAIL" in gitune("doctor").stdout
    assert gitune("doctor", "--root", "nowhere").returncode == 1


@pytest.mark.parametrize("origin", ["gone.git", "plain"])
def test_an_origin_that_is_no_repository_is_told_as_the_origin_and_offline_goes_on(
    gitune: Process, folder: Path, spec: WriteSpec, commit: Commit, origin: str
) -> None:
    spec("numbers")
    commit("one")
    (folder.parent / "plain").mkdir()
    subprocess.run(["git", "remote", "add", "origin", f"../{origin}"], cwd=folder, check=True)
    for command in ("status", "plan", "apply"):
        done = gitune(command)
        assert done.returncode == 1
        assert done.stderr.startswith(f"error: {folder}/../{origin} is not ")
        assert "\nhint: That is the remote `origin` of this repository: see `git remote -v`. " in done.stderr
        assert "`gitune status --offline`" in done.stderr
    assert gitune("status", "--offline").returncode == 0


def test_a_ledger_remote_that_is_no_repository_is_told_as_what_gitune_yaml_says(
    gitune: Process, folder: Path, spec: WriteSpec, commit: Commit
) -> None:
    spec("numbers")
    (folder / "gitune.yaml").write_text(
        "apiVersion: gitune.dev/v1alpha1\nkind: Controller\nledger: {remote: nowhere/origin.git}\n"
    )
    commit("one")
    done = gitune("status")
    assert f"error: {folder}/nowhere/origin.git is not a folder\nhint: That is `ledger.remote` in gitune" in done.stderr


def doctor_of_the_ledger(gitune: Process) -> tuple[int, dict[str, object]]:
    done = gitune("doctor", "-o", "json")
    (found,) = [f for f in json.loads(done.stdout)["findings"] if f["subject"] == "ledger"]
    return done.returncode, found


def test_doctor_names_the_ledger_as_what_it_is(
    gitune: Process, recorded: Path, spec: WriteSpec, commit: Commit
) -> None:
    before = sorted(recorded.rglob("*"))
    assert doctor_of_the_ledger(gitune)[1]["message"] == "directory .gitune: 1 model recorded"
    assert sorted(recorded.rglob("*")) == before
    commit("one")
    assert doctor_of_the_ledger(gitune)[1]["message"] == "branch gitune-status: nothing recorded yet"


def taken_directory(folder: Path) -> None:
    (folder / ".gitune").write_text("not a folder\n")


def taken_objects(folder: Path) -> None:
    for number in range(256):
        shard = folder / ".git" / "objects" / f"{number:02x}"
        if not shard.exists():
            shard.write_text("not a folder\n")


def taken_branch(folder: Path) -> None:
    subprocess.run(["git", "branch", "gitune"], cwd=folder, check=True)


def closed_folder(folder: Path) -> None:
    folder.chmod(0o500)


def closed_objects(folder: Path) -> None:
    for path in (folder / ".git" / "objects", *(folder / ".git" / "objects").iterdir()):
        path.chmod(0o500)


NOT_AS_ROOT = pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")


def doctor_and_apply_fail(gitune: Process, folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    code, found = doctor_of_the_ledger(gitune)
    assert (code, found["well"]) == (1, False)
    assert str(found["message"]).startswith(f"the ledger cannot be written: {folder}")
    assert str(found["fix"]).startswith("Give the user who runs Gitune write permission there")
    assert sorted(folder.rglob("*")) == before
    assert gitune("apply").returncode == 1
    folder.chmod(0o700)


@pytest.mark.parametrize("close", [taken_directory, pytest.param(closed_folder, marks=NOT_AS_ROOT)])
def test_doctor_fails_with_a_fix_where_apply_cannot_write_the_directory(
    gitune: Process, folder: Path, spec: WriteSpec, close: Callable[[Path], None]
) -> None:
    spec("numbers", "  suspend: true\n")
    close(folder)
    doctor_and_apply_fail(gitune, folder)


@pytest.mark.parametrize("close", [taken_objects, taken_branch, pytest.param(closed_objects, marks=NOT_AS_ROOT)])
def test_doctor_fails_with_a_fix_where_apply_cannot_write_the_branch(
    gitune: Process, folder: Path, spec: WriteSpec, commit: Commit, close: Callable[[Path], None]
) -> None:
    spec("numbers", "  suspend: true\n")
    (folder / "gitune.yaml").write_text(
        "apiVersion: gitune.dev/v1alpha1\nkind: Controller\nledger: {branch: gitune/status}\n"
    )
    commit("one")
    close(folder)
    doctor_and_apply_fail(gitune, folder)


def test_doctor_fails_where_somebody_stands_on_the_branch_of_the_ledger(
    gitune: Process, folder: Path, spec: WriteSpec, commit: Commit
) -> None:
    spec("numbers", "  suspend: true\n")
    commit("one")
    subprocess.run(["git", "checkout", "-q", "-b", "gitune-status"], cwd=folder, check=True)
    code, found = doctor_of_the_ledger(gitune)
    assert (code, found["well"]) == (1, False)
    assert "is checked out in" in str(found["message"])
    assert gitune("apply").returncode == 1


def test_evaluate_says_what_generate_says_where_nothing_listens(gitune: Process, folder: Path, recorded: Path) -> None:
    (folder / "gitune.yaml").write_text(
        "apiVersion: gitune.dev/v1alpha1\nkind: Controller\n"
        "providers: {local: {type: local, endpoint: 'http://127.0.0.1:9'}}\n"
    )
    asked = gitune("generate", "numbers", "x")
    scored = gitune("evaluate", "numbers", "--rows", "training")
    assert "nothing listens at the endpoint" in asked.stderr
    assert (scored.returncode, scored.stdout, scored.stderr) == (1, "", asked.stderr)


class CutAnswer(BaseHTTPRequestHandler):
    """A model that reached its token limit."""

    def do_POST(self) -> None:
        candidate = {"content": {"parts": [{"text": "forty-"}]}, "finishReason": "MAX_TOKENS"}
        body = json.dumps({"candidates": [candidate]}).encode()
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server calls it
        """Nothing."""


def test_generate_says_that_an_answer_is_cut_and_keeps_that_apart_from_it(
    gitune: Process, folder: Path, recorded: Path
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), CutAnswer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (folder / "gitune.yaml").write_text(
            "apiVersion: gitune.dev/v1alpha1\nkind: Controller\n"
            f"providers: {{local: {{type: local, endpoint: 'http://127.0.0.1:{server.server_port}'}}}}\n"
        )
        done, told = gitune("generate", "numbers", "41"), gitune("generate", "numbers", "41", "-o", "json")
        server.shutdown()
    assert (done.returncode, done.stdout) == (0, "forty-\n")
    assert done.stderr == "note: the answer is cut: the model stopped before its end (MAX_TOKENS)\n"
    assert json.loads(told.stdout) == {"schemaVersion": 1, "name": "numbers", "answer": "forty-", "cut": "MAX_TOKENS"}


@pytest.mark.parametrize("state", ["  suspend: true\n", "  nonsense: 1\n"])
def test_a_name_whose_spec_is_there_is_not_forgotten_and_the_hint_says_what_ends_that(
    gitune: Process, recorded: Path, spec: WriteSpec, state: str
) -> None:
    path = spec("numbers", state)
    done = gitune("forget", "numbers")
    assert done.returncode == 1
    assert done.stderr == (
        "error: the spec of numbers is still there\n"
        "hint: Commit its removal, or that of its name from formerNames, first; a suspended spec keeps its name.\n"
    )
    path.write_text("")
    unread = gitune("forget", "numbers").stderr
    assert unread.startswith("error: the spec of numbers may be still there\nhint: `gitune validate` names the file")
    path.unlink()
    assert gitune("forget", "numbers").returncode == 0

"""script/demo, as a newcomer runs it."""

import json
import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FIVE_MINUTES = 300.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(FIVE_MINUTES + 60),
    pytest.mark.xdist_group("demo"),  # one demo for all of these tests
    pytest.mark.skipif(
        not (ROOT / ".venv" / "gitune.seal").exists(), reason="the environment was not made by script/bootstrap"
    ),
]


@dataclass(frozen=True)
class Demo:
    """One run of the demo: what it said, how long it took, and the folders it had."""

    said: str
    seconds: float
    scratch: Path
    home: Path

    def git(self, *arguments: str) -> str:
        command = ["git", "-C", str(self.scratch / "models"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    home, elsewhere = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("somewhere else")
    temporary = tmp_path_factory.mktemp("temporary")
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "GEMINI_API_KEY": "never-to-be-used",
        "GITUNE_HOME": str(home / "gitune"),
        **{name: value for name, value in os.environ.items() if name.startswith(("SSL_CERT", "UV_", "OPENBLAS"))},
    }
    started = time.monotonic()
    done = subprocess.run(
        [ROOT / "script" / "demo"],
        env=environ,
        cwd=elsewhere,
        capture_output=True,
        text=True,
        check=False,
        timeout=FIVE_MINUTES,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (scratch,) = temporary.glob("gitune-demo.*")
    return Demo(done.stdout, time.monotonic() - started, scratch, home)


def shares(said: str, command: str) -> list[float]:
    """The share of right answers of every score that a command printed."""
    scores = re.findall(rf"^\$ {re.escape(command)}\n.*?(\d+) of (\d+) right", said, re.MULTILINE)
    return [int(right) / int(asked) for right, asked in scores]


def test_it_ends_within_five_minutes(demo: Demo) -> None:
    assert demo.seconds < FIVE_MINUTES


@pytest.mark.parametrize("name", ["next-number", "support-triage"])
def test_both_models_end_ready(demo: Demo, name: str) -> None:
    assert re.search(rf"^{name} +Ready ", demo.said, re.MULTILINE)


def test_the_loss_falls(demo: Demo) -> None:
    first, last = re.findall(r"Succeeded +[\d,/]+ +([\d.]+) → ([\d.]+)", demo.said)[0]

    assert float(last) < float(first) / 10


@pytest.mark.parametrize("name", ["next-number", "support-triage"])
def test_the_training_pairs_are_learnt(demo: Demo, name: str) -> None:
    (share,) = shares(demo.said, f"gitune evaluate {name} --rows training")

    assert share >= 0.95


def test_the_held_out_messages_are_sorted(demo: Demo) -> None:
    (share,) = shares(demo.said, "gitune evaluate support-triage")

    assert share >= 0.85


def test_the_second_apply_changes_nothing(demo: Demo) -> None:
    second = demo.said.partition("\nApply again")[2].partition("\n\n")[0]

    assert "Applied: 2 unchanged" in second


def test_the_ledger_is_a_branch_of_the_scratch_repository_and_nothing_is_pushed(demo: Demo) -> None:
    assert demo.git("remote") == ""
    assert demo.git("branch", "--format=%(refname:short)").split()[0] == "gitune-status"
    assert demo.git("rev-list", "--count", "HEAD").strip() == "1"
    assert demo.git("status", "--porcelain") == ""


def test_nothing_of_the_user_is_touched(demo: Demo) -> None:
    assert [path.name for path in demo.home.iterdir() if path.name not in (".cache", ".config")] == []


def test_the_server_it_started_is_stopped(demo: Demo) -> None:
    (note,) = (demo.scratch / "home").rglob("server.json")
    pid = json.loads(note.read_text())["pid"]

    deadline = time.monotonic() + 10
    while not gone(pid) and time.monotonic() < deadline:
        time.sleep(0.1)

    assert gone(pid)


def gone(pid: int) -> bool:
    """Whether no process has that id any more."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False

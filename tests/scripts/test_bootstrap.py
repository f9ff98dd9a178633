"""script/bootstrap on machines that lack something, with an index on loopback and a stand-in for uv's program."""

import hashlib
import http.server
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import threading
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = ("script/bootstrap", "script/environment.py", "pyproject.toml", "uv.lock")
TOOLS = ("sh", "env", "dirname", "readlink", "git", "cat", "mkdir", "ln", "touch")

# Writes down what it is asked, and makes a .venv/bin/python as the real one does.
UV = """#!/bin/sh
if [ "$1" = --version ]; then echo "uv VERSION"; exit 0; fi
echo "$@" >> "$UV_LOG"
case $1 in
sync | venv)
  mkdir -p "$UV_PROJECT_ENVIRONMENT/bin"
  ln -sf "$STAND_IN_PYTHON" "$UV_PROJECT_ENVIRONMENT/bin/python"
  ;;
esac
"""


def wheel(program: str = UV.replace("VERSION", "0.13.9")) -> bytes:
    """A wheel shaped like uv's, with a shell script for a program."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("uv-0.13.9.data/scripts/uv", program)
        archive.writestr("uv-0.13.9.dist-info/METADATA", "Metadata-Version: 2.1\nName: uv\nVersion: 0.13.9\n")
        archive.writestr("uv-0.13.9.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-any\n")
        archive.writestr("uv-0.13.9.dist-info/RECORD", "")
    return content.getvalue()


@dataclass
class Index:
    """A package index on loopback that counts what it is asked for."""

    pages: dict[str, bytes]
    url: str = ""
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def index() -> Iterator[Index]:
    name = "uv-0.13.9-py3-none-any.whl"
    content = wheel()
    page = f'<a href="../../files/{name}#sha256={hashlib.sha256(content).hexdigest()}">{name}</a>'
    served = Index({"/simple/uv/": page.encode(), f"/files/{name}": content})

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            body = served.pages.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", "text/html" if self.path.endswith("/") else "application/octet-stream")
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            """The tests look at `asked`."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        served.url = f"http://127.0.0.1:{server.server_port}"
        yield served
        server.shutdown()
        thread.join()


@dataclass(frozen=True)
class Machine:
    """A clone, and a PATH with nothing on it but what a bare Debian has."""

    clone: Path
    path: Path
    environ: dict[str, str]

    def bootstrap(self, script: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        command = [script or self.clone / "script" / "bootstrap"]
        environ = self.environ | more
        return subprocess.run(command, env=environ, cwd="/", capture_output=True, text=True, check=False, timeout=60)

    @property
    def uv_was_asked(self) -> list[str]:
        log = self.path.parent / "uv.log"
        return log.read_text().splitlines() if log.exists() else []

    def pin(self, line: str) -> None:
        (self.clone / "script" / "uv-wheels.txt").write_text(line + "\n")


@pytest.fixture
def machine(tmp_path: Path, index: Index) -> Machine:
    clone = tmp_path / "a clone"
    for name in FILES:
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, clone / name)
    path = tmp_path / "bin"
    path.mkdir()
    for tool in TOOLS:
        (path / tool).symlink_to(str(shutil.which(tool)))
    venv.create(tmp_path / "python", with_pip=False)
    python = tmp_path / "python" / "bin" / "python3"
    (path / "python3").write_text(f'#!/bin/sh\nexec "{python}" "$@"\n')
    (path / "python3").chmod(0o755)
    environ = {
        "PATH": str(path),
        "HOME": str(tmp_path / "home"),
        "UV_LOG": str(tmp_path / "uv.log"),
        "STAND_IN_PYTHON": sys.executable,
        "NO_PROXY": "127.0.0.1",
    }
    made = Machine(clone, path, environ)
    content = index.pages["/files/uv-0.13.9-py3-none-any.whl"]
    made.pin(f"{platform()} {hashlib.sha256(content).hexdigest()} {index.url}/files/uv-0.13.9-py3-none-any.whl")
    return made


def platform() -> str:
    command = [sys.executable, "-c", "import environment; print(environment.this_platform())"]
    environ = os.environ | {"PYTHONPATH": str(ROOT / "script"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout.strip()


def put_uv_on_path(machine: Machine, version: str) -> None:
    uv = machine.path / "uv"
    uv.write_text(UV.replace("VERSION", version))
    uv.chmod(0o755)


def test_a_machine_without_uv_and_pip_gets_the_pinned_uv_and_an_environment(machine: Machine, index: Index) -> None:
    done = machine.bootstrap()

    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert index.asked == ["/files/uv-0.13.9-py3-none-any.whl"]
    assert os.access(machine.clone / ".tools/bin/uv", os.X_OK)
    (asked,) = machine.uv_was_asked
    assert re.fullmatch(r"sync --locked --python \S+/python3\.\d+ --quiet", asked)


def test_a_second_bootstrap_does_nothing(machine: Machine, index: Index) -> None:
    machine.bootstrap()
    asked = list(machine.uv_was_asked)

    done = machine.bootstrap()

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert machine.uv_was_asked == asked
    assert len(index.asked) == 1


@pytest.mark.parametrize("name", ["uv.lock", "pyproject.toml"])
def test_a_changed_lock_is_installed_again_without_fetching_uv_again(machine: Machine, index: Index, name: str) -> None:
    machine.bootstrap()
    with (machine.clone / name).open("a") as file:
        file.write("\n")

    machine.bootstrap()

    assert len(machine.uv_was_asked) == 2
    assert len(index.asked) == 1


def test_a_clone_that_moved_is_installed_again(machine: Machine) -> None:
    machine.bootstrap()
    moved = machine.clone.rename(machine.clone.with_name("elsewhere"))

    done = machine.bootstrap(moved / "script" / "bootstrap")

    assert done.returncode == 0
    assert len(machine.uv_was_asked) == 2


def test_an_environment_whose_python_is_gone_is_made_again(machine: Machine) -> None:
    machine.bootstrap()
    (machine.clone / ".venv/bin/python").unlink()

    machine.bootstrap()

    assert len(machine.uv_was_asked) == 2


def test_it_works_through_a_symlink(machine: Machine) -> None:
    link = machine.path.parent / "link"
    link.symlink_to(machine.clone / "script" / "bootstrap")

    assert machine.bootstrap(link).returncode == 0
    assert (machine.clone / ".venv" / "gitune.seal").exists()


def test_two_at_once_fetch_and_install_once(machine: Machine, index: Index) -> None:
    script = machine.clone / "script" / "bootstrap"
    both = [subprocess.Popen([script], env=machine.environ, stderr=subprocess.DEVNULL) for _ in range(2)]

    assert [process.wait(timeout=60) for process in both] == [0, 0]
    assert len(index.asked) == 1
    assert len(machine.uv_was_asked) == 1


def test_a_wheel_that_is_not_the_pinned_one_is_refused_and_leaves_nothing(machine: Machine, index: Index) -> None:
    index.pages["/files/uv-0.13.9-py3-none-any.whl"] = wheel("#!/bin/sh\ntouch /tmp/never\n")

    done = machine.bootstrap()

    assert done.returncode == 1
    assert "is not what is pinned (its SHA-256 differs)" in done.stderr
    assert not (machine.clone / ".tools/bin/uv").exists()
    assert not machine.uv_was_asked


def test_without_a_network_the_reason_and_the_ways_out_are_told(machine: Machine) -> None:
    machine.pin(f"{platform()} {'0' * 64} http://127.0.0.1:9/uv-0.13.9-py3-none-any.whl")

    done = machine.bootstrap()

    assert done.returncode == 1
    assert "this Python has no pip" in done.stderr
    assert "Connection refused" in done.stderr
    assert "HTTPS_PROXY" in done.stderr
    assert "Install uv by hand" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_platform_without_a_pinned_uv_is_named(machine: Machine) -> None:
    machine.pin("plan9-mips 00 http://127.0.0.1:9/uv.whl")

    done = machine.bootstrap()

    assert done.returncode == 1
    assert f"there is no uv pinned for this platform, {platform()}" in done.stderr
    assert "Install uv by hand" in done.stderr


def test_a_uv_on_the_path_is_used_and_nothing_fetched(machine: Machine, index: Index) -> None:
    put_uv_on_path(machine, "0.9.2")

    assert machine.bootstrap().returncode == 0
    assert index.asked == []
    assert not (machine.clone / ".tools/bin").exists()


@pytest.mark.parametrize("version", ["0.7.22", "from the future"])
def test_a_uv_on_the_path_that_is_too_old_or_broken_is_left_alone(machine: Machine, index: Index, version: str) -> None:
    put_uv_on_path(machine, version)

    done = machine.bootstrap()

    assert done.returncode == 0
    assert "is not used: a uv of 0.8 or newer is needed" in done.stderr
    assert len(index.asked) == 1


def test_a_mirror_serves_uv_and_the_packages(machine: Machine, index: Index) -> None:
    digest = hashlib.sha256(index.pages["/files/uv-0.13.9-py3-none-any.whl"]).hexdigest()
    machine.pin(f"{platform()} {digest} http://127.0.0.1:9/uv-0.13.9-py3-none-any.whl")

    done = machine.bootstrap(PIP_INDEX_URL=f"{index.url}/simple/")

    assert done.returncode == 0, done.stderr
    assert index.asked == ["/simple/uv/", "/files/uv-0.13.9-py3-none-any.whl"]
    asked = machine.uv_was_asked
    assert [line.split(" --")[0] for line in asked] == ["venv", "export", "pip sync", "pip install"]
    assert "--require-hashes" in asked[2]


def test_a_mirrors_password_is_never_shown(machine: Machine) -> None:
    done = machine.bootstrap(UV_DEFAULT_INDEX="http://me:hunter2@127.0.0.1:9/simple")

    assert done.returncode == 1
    assert "127.0.0.1:9" in done.stderr
    assert "hunter2" not in done.stderr + done.stdout


def test_a_failing_install_gives_uvs_exit_code_and_no_seal(machine: Machine) -> None:
    put_uv_on_path(machine, "0.9.2")
    with (machine.path / "uv").open("a") as uv:
        uv.write("echo 'no space left on device' >&2\nexit 2\n")

    done = machine.bootstrap()

    assert done.returncode == 1
    assert "no space left on device" in done.stderr
    assert "`uv sync` failed with exit code 2" in done.stderr
    assert not (machine.clone / ".venv" / "gitune.seal").exists()


def test_the_users_own_environment_leads_uv_nowhere_else(machine: Machine) -> None:
    elsewhere = machine.path.parent / "elsewhere"

    machine.bootstrap(UV_PROJECT_ENVIRONMENT=str(elsewhere), VIRTUAL_ENV=str(elsewhere), UV_PYTHON="3.9")

    assert not elsewhere.exists()
    assert (machine.clone / ".venv" / "bin" / "python").exists()


def test_a_python_that_is_too_old_is_named(machine: Machine) -> None:
    (machine.path / "python3").write_text(
        "#!/bin/sh\ncase $3 in *version.split*) echo 3.9.2 at /usr/bin/python3 ;; *) exit 1 ;; esac\n"
    )

    done = machine.bootstrap()

    assert done.returncode == 1
    assert "needs Python 3.11 or newer; python3 is 3.9.2 at /usr/bin/python3" in done.stderr


def test_a_newer_python_under_another_name_is_found(machine: Machine) -> None:
    (machine.path / "python3").rename(machine.path / "python3.12")

    assert machine.bootstrap().returncode == 0


def test_a_machine_without_python_is_told_so(machine: Machine) -> None:
    (machine.path / "python3").unlink()

    done = machine.bootstrap()

    assert done.returncode == 1
    assert "there is no python3 on the PATH" in done.stderr


@pytest.mark.skipif(importlib.util.find_spec("ensurepip") is None, reason="this Python cannot make a pip to try")
def test_where_pip_is_there_it_brings_the_wheel(machine: Machine, index: Index) -> None:
    digest = hashlib.sha256(index.pages["/files/uv-0.13.9-py3-none-any.whl"]).hexdigest()
    machine.pin(f"{platform()} {digest} http://127.0.0.1:9/uv-0.13.9-py3-none-any.whl")
    venv.create(machine.path.parent / "python", with_pip=True)

    # Only pip reads this variable, so it was pip that found the wheel.
    done = machine.bootstrap(PIP_FIND_LINKS=f"{index.url}/simple/uv/", PIP_NO_INDEX="1")

    assert done.returncode == 0, done.stderr
    assert "/files/uv-0.13.9-py3-none-any.whl" in index.asked


def test_every_pinned_wheel_is_of_one_version_and_from_pypis_own_host() -> None:
    lines = [line.split() for line in (ROOT / "script/uv-wheels.txt").read_text().splitlines() if line[0] != "#"]

    assert len({name for name, _, _ in lines}) == len(lines) >= 6
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for _, digest, _ in lines)
    assert all(url.startswith("https://files.pythonhosted.org/packages/") for _, _, url in lines)
    assert len({url.rsplit("/", 1)[1].split("-")[1] for _, _, url in lines}) == 1

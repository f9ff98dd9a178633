"""The image as it is built, where buildah and a base are there; GITUNE_TEST_IMAGE=pull fetches the base first.

Without the network an image that was stored under the base's plain name, without its version and digest, stands in.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TAG = "localhost/gitune:tested"
pytestmark = pytest.mark.slow


def buildah(*words: str, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
    environ = {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "overlay", **os.environ}
    command = ["buildah", *words]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=seconds)


def base() -> str:
    found = re.search(r"^ARG PYTHON_IMAGE=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert found
    return found[1]


def stored(name: str) -> bool:
    return buildah("inspect", "--type", "image", name).returncode == 0


def stand_in(pinned: str) -> str:
    """``…/python:3.12.14-slim-bookworm@sha256:…`` as people call it: ``…/python:3.12-slim-bookworm``."""
    return re.sub(r":(\d+\.\d+)\.\d+-([a-z-]+)@sha256:[0-9a-f]{64}$", r":\1-\2", pinned)


def test_the_base_is_pinned_by_its_digest() -> None:
    assert re.fullmatch(r"docker\.io/library/python:\d+\.\d+\.\d+-slim-bookworm@sha256:[0-9a-f]{64}", base())
    assert stand_in(base()) == "docker.io/library/python:3.12-slim-bookworm"


@pytest.fixture(scope="module")
def image() -> str:
    """Built once, from the layers that are there already where they fit."""
    if shutil.which("buildah") is None:
        pytest.skip("buildah is not installed (Debian: buildah)")
    pulls = os.environ.get("GITUNE_TEST_IMAGE") == "pull"
    found = next((name for name in (base(), stand_in(base())) if pulls or stored(name)), None)
    if found is None:
        pytest.skip(f"{base()} is not in buildah's store; GITUNE_TEST_IMAGE=pull fetches it")
    certificates = ("-v", "/etc/ssl/certs:/etc/ssl/certs:ro") if Path("/etc/ssl/certs").is_dir() else ()
    words = (
        "--build-arg",
        f"PYTHON_IMAGE={found}",
        "--layers",
        "--format",
        "docker",
        *certificates,
        "-t",
        TAG,
        str(ROOT),
    )
    done = buildah("bud", *(() if pulls else ("--pull-never",)), *words, seconds=280.0)
    assert done.returncode == 0, done.stderr[-3000:]
    return TAG


@pytest.fixture(scope="module")
def container(image: str) -> Iterator[str]:
    name = buildah("from", "--pull-never", image).stdout.strip()
    try:
        yield name
    finally:
        buildah("rm", name)


def within(container: str, *words: str) -> str:
    done = buildah("run", container, "--", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_runs_as_nobody_in_particular_and_tells_its_health(image: str) -> None:
    docker = json.loads(buildah("inspect", "--type", "image", image).stdout)["Docker"]["config"]
    assert docker["User"] == "10001:10001"
    assert docker["Entrypoint"] == ["gitune"]
    assert "/healthz" in " ".join(docker["Healthcheck"]["Test"])


def test_the_command_git_and_the_extras_are_in_it(container: str) -> None:
    assert "--lease-name" in within(container, "gitune", "run", "--help")
    assert within(container, "git", "--version").startswith("git version")
    within(container, "python", "-c", "import controller.daemon.cluster, controller.daemon.otel")
    assert within(container, "id", "-u") == "10001"


def test_only_its_home_can_be_written(container: str) -> None:
    writable = "find / -xdev -writable -type d -not -path '/proc/*' -not -path '/dev/*' 2>/dev/null; true"
    found = set(within(container, "sh", "-c", writable).splitlines())
    assert "/var/lib/gitune" in found
    assert {path for path in found if not path.startswith(("/var/lib/gitune", "/tmp", "/var/tmp", "/run"))} <= {  # noqa: S108
        "/repository"
    }


def test_no_test_no_history_and_no_compiler_is_in_it(container: str) -> None:
    looked = "ls -A /repository; ls -d /build /.git 2>/dev/null; command -v gcc cc uv; true"
    assert within(container, "sh", "-c", looked) == ""

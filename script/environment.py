"""A lock file to a ready .venv: with uv from the PATH or .tools, else fetched once and held against its pinned SHA-256.

Runs before anything is installed, so it needs nothing but the standard library of Python 3.11.
"""

from __future__ import annotations

import fcntl
import hashlib
import html
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

OLDEST_UV = (0, 8)  # the oldest release that was seen to read this uv.lock
TIMEOUT = 60.0  # seconds without a byte
WHEEL_LIMIT = 200_000_000  # bytes; uv's wheels have about 18 million
BY_HAND = "Install uv by hand (https://docs.astral.sh/uv/) so that it is on the PATH, and run this again."
NETWORK = (
    "Is the network there? A proxy is taken from HTTPS_PROXY, a mirror of PyPI from UV_DEFAULT_INDEX or\n"
    "  PIP_INDEX_URL, a certificate authority of your own from SSL_CERT_FILE. " + BY_HAND
)


class NoEnvironment(Exception):
    """The environment cannot be made. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """One pinned wheel of uv."""

    sha256: str
    url: str

    @property
    def filename(self) -> str:
        """The last part of the URL."""
        return self.url.rsplit("/", 1)[-1]

    @property
    def version(self) -> str:
        """The version of uv, such as ``0.13.9``."""
        return self.filename.split("-")[1]


def main(root: Path) -> int:
    """Make ``root/.venv`` what the lock file says. Returns the exit code."""
    if is_ready(root):
        return 0
    try:
        with only_one(root):
            if not is_ready(root):
                install(root)
    except (NoEnvironment, OSError) as error:
        say(f"{error}")
        return 1
    return 0


def say(line: str) -> None:
    """A line to the person who waits; standard output belongs to the caller."""
    sys.stderr.write(f"bootstrap: {line}\n")
    sys.stderr.flush()


# ── what is there already ────────────────────────────────────────────────────────────────────────────────────────────


def seal(root: Path) -> str:
    """What .venv was made from: the lock file, pyproject.toml, and the folder, since a moved .venv no longer runs."""
    digest = hashlib.sha256(os.fsencode(root))
    for name in ("uv.lock", "pyproject.toml"):
        digest.update((root / name).read_bytes())
    return digest.hexdigest()


def is_ready(root: Path) -> bool:
    """Whether .venv was made from just these files and its Python still starts."""
    try:
        if (root / ".venv" / "gitune.seal").read_text() != seal(root):
            return False
    except OSError:
        return False
    return runs([root / ".venv" / "bin" / "python", "-I", "-c", ""])


def runs(command: list[str | Path]) -> bool:
    """Whether a command starts and succeeds."""
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@contextmanager
def only_one(root: Path) -> Iterator[None]:
    """Hold the clone's lock: a second bootstrap waits for the first. The kernel lets go when a process dies."""
    tools = root / ".tools"
    tools.mkdir(exist_ok=True)
    with (tools / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another bootstrap is at work here; waiting for it …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# ── the environment ──────────────────────────────────────────────────────────────────────────────────────────────────


def install(root: Path) -> None:
    """Find or fetch uv, and let it make .venv."""
    started = time.monotonic()
    uv = uv_on_path() or uv_of_tools(root)
    (root / ".venv" / "gitune.seal").unlink(missing_ok=True)  # a broken install must not pass for the one before it
    say(f"installing what uv.lock names into {root / '.venv'} …")
    environ = uv_environment(root)
    if mirror(os.environ):
        install_from_mirror(root, uv, environ)
    else:
        call([uv, "sync", "--locked", "--python", own_python()], root, environ)
    (root / ".venv" / "gitune.seal").write_text(seal(root))
    say(f"ready after {time.monotonic() - started:.1f} s.")


def install_from_mirror(root: Path, uv: Path, environ: Mapping[str, str]) -> None:
    """The same packages by the same digests, from another index: `uv sync` would ask the one that uv.lock names."""
    venv = root / ".venv"
    call([uv, "venv", "--allow-existing", "--python", own_python(), venv], root, environ)
    with tempfile.TemporaryDirectory() as scratch:
        names = Path(scratch) / "requirements.txt"
        call([uv, "export", "--frozen", "--no-emit-project", "--output-file", names], root, environ)
        call([uv, "pip", "sync", "--python", venv, "--require-hashes", names], root, environ)
    call([uv, "pip", "install", "--python", venv, "--no-deps", "--editable", "."], root, environ)


def call(command: list[str | Path], root: Path, environ: Mapping[str, str]) -> None:
    """Run uv in the clone; its own words reach the person, its progress only a terminal."""
    quiet = [] if sys.stderr.isatty() else ["--quiet"]
    status = subprocess.run([*command, *quiet], cwd=root, env=environ, stdout=sys.stderr, check=False).returncode
    if status != 0:
        told = " ".join(takewhile(lambda word: not word.startswith("--"), map(str, command[1:])))
        raise NoEnvironment(f"`uv {told}` failed with exit code {status}; its reason stands above.\n  {NETWORK}")


def uv_environment(root: Path) -> dict[str, str]:
    """The user's environment less what would lead uv elsewhere than to this clone's .venv and the Python found."""
    astray = (
        "VIRTUAL_ENV",
        "CONDA_PREFIX",
        "UV_FROZEN",
        "UV_LOCKED",
        "UV_NO_SYNC",
        "UV_NO_DEV",
        "UV_PYTHON",
        "UV_PROJECT",
    )
    environ = {name: value for name, value in os.environ.items() if name not in astray}
    environ["UV_PROJECT_ENVIRONMENT"] = str(root / ".venv")
    environ["UV_PYTHON_DOWNLOADS"] = "never"
    if index := mirror(os.environ):
        environ["UV_DEFAULT_INDEX"] = index
    return environ


def own_python() -> Path:
    """The Python that runs this, and where a virtual environment runs it, the one behind that."""
    behind = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    return behind if behind.exists() else Path(sys.executable)


def mirror(environ: Mapping[str, str]) -> str:
    """The index that stands in for PyPI, "" where none does."""
    names = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
    chosen = next((environ[name] for name in names if environ.get(name)), "").rstrip("/")
    return "" if chosen == "https://pypi.org/simple" else chosen


# ── uv ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def uv_on_path() -> Path | None:
    """The user's own uv, where it starts and is new enough."""
    found = shutil.which("uv")
    if found is None:
        return None
    version = uv_version(Path(found))
    if version is None or version < OLDEST_UV:
        say(f"{found} is not used: a uv of {'.'.join(map(str, OLDEST_UV))} or newer is needed.")
        return None
    return Path(found)


def uv_version(uv: Path) -> tuple[int, ...] | None:
    """(major, minor) as ``uv --version`` says it; None where it does not start."""
    try:
        said = subprocess.run([uv, "--version"], capture_output=True, text=True, check=False, timeout=60).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.match(r"uv (\d+)\.(\d+)", said)
    return (int(match[1]), int(match[2])) if match else None


def uv_of_tools(root: Path) -> Path:
    """The uv in .tools/bin, fetched where it is not there yet."""
    uv = root / ".tools" / "bin" / "uv"
    if uv_version(uv) is None:
        unpack(fetch(pinned(root)), uv)
    if uv_version(uv) is None:
        raise NoEnvironment(f"{uv} does not start on this machine. {BY_HAND}")
    return uv


def pinned(root: Path) -> Wheel:
    """The wheel for this machine."""
    here = this_platform()
    for line in (root / "script" / "uv-wheels.txt").read_text().splitlines():
        if line.startswith(f"{here} "):
            _, sha256, url = line.split()
            return Wheel(sha256, url)
    raise NoEnvironment(f"there is no uv pinned for this platform, {here}. {BY_HAND}")


def this_platform() -> str:
    """``system-machine``, and on Linux its C library: the first word of a line in uv-wheels.txt."""
    system, machine = platform.system().lower(), platform.machine().lower()
    if system != "linux":
        return f"{system}-{machine}"
    return f"{system}-{machine}-{'glibc' if platform.libc_ver()[0] == 'glibc' else 'musl'}"


def fetch(wheel: Wheel) -> bytes:
    """The wheel's bytes by pip, which knows the user's settings, else straight from the index; checked either way."""
    say(f"there is no uv here; fetching uv {wheel.version} …")
    said = []
    ways: tuple[Callable[[Wheel], bytes], ...] = (by_pip, by_url)
    for way in ways:
        try:
            content = way(wheel)
        except NoEnvironment as error:
            said.append(str(error))
            continue
        if hashlib.sha256(content).hexdigest() == wheel.sha256:
            return content
        said.append(f"what came for {wheel.filename} is not what is pinned (its SHA-256 differs)")
    reasons = "".join(f"\n  - {reason}" for reason in said)
    raise NoEnvironment(f"uv could not be fetched:{reasons}\n  {NETWORK}")


def by_pip(wheel: Wheel) -> bytes:
    """The wheel as pip downloads it, where there is a pip."""
    if not runs([sys.executable, "-m", "pip", "--version"]):
        raise NoEnvironment("this Python has no pip")
    with tempfile.TemporaryDirectory() as scratch:
        wanted = Path(scratch) / "wanted.txt"
        wanted.write_text(f"uv=={wheel.version} --hash=sha256:{wheel.sha256}\n")
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        pip += ["--disable-pip-version-check", "--no-input", "--retries", "1", "--require-hashes"]
        done = subprocess.run([*pip, "--dest", scratch, "-r", wanted], capture_output=True, text=True, check=False)
        for brought in Path(scratch).glob("uv-*.whl"):
            return brought.read_bytes()
    told = done.stderr.strip().splitlines() or ["it gave no reason"]
    raise NoEnvironment(f"pip could not bring it: {without_password(told[0])}")


def by_url(wheel: Wheel) -> bytes:
    """The wheel from its own address, or from the mirror where there is one."""
    index = mirror(os.environ)
    return download(mirrored(wheel, index) if index else wheel.url)


def mirrored(wheel: Wheel, index: str) -> str:
    """Where a mirror has the wheel: the link of that file name on its page of uv."""
    page_url = f"{index}/uv/"
    page = download(page_url).decode("utf-8", "replace")
    for link in links(page):
        target = urllib.parse.urljoin(page_url, link)
        if urllib.parse.unquote(urllib.parse.urlsplit(target).path).endswith(f"/{wheel.filename}"):
            return urllib.parse.urldefrag(target).url
    raise NoEnvironment(f"{without_password(page_url)} does not list {wheel.filename}")


def links(page: str) -> Iterable[str]:
    """The targets of all links of an HTML page."""
    return (html.unescape(match[2]) for match in re.finditer(r"""href\s*=\s*(["'])(.*?)\1""", page, re.IGNORECASE))


def download(url: str) -> bytes:
    """The bytes behind an address; proxies and SSL_CERT_FILE are honoured by the standard library."""
    shown = without_password(url)
    if not url.startswith(("https://", "http://")) or shown != url:
        raise NoEnvironment(f"{shown} is no plain https or http address; one with a password needs pip or uv")
    request = urllib.request.Request(url, headers={"User-Agent": "gitune-bootstrap", "Accept": "*/*"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            content: bytes = answer.read(WHEEL_LIMIT)
    except (OSError, ValueError) as error:
        raise NoEnvironment(f"{url}: {error}") from error
    return content


def without_password(text: str) -> str:
    """The text with ``user:password@`` cut out of its addresses."""
    return re.sub(r"(https?://)[^/\s@]+@", r"\1", text)


def unpack(content: bytes, uv: Path) -> None:
    """The program out of its wheel, put in place in one step: whoever looks sees all of it or nothing."""
    uv.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=uv.parent) as scratch:
        wheel, program = Path(scratch) / "uv.whl", Path(scratch) / "uv"
        wheel.write_bytes(content)
        with zipfile.ZipFile(wheel) as archive:
            member = next(name for name in archive.namelist() if name.endswith(".data/scripts/uv"))
            program.write_bytes(archive.read(member))
        program.chmod(0o755)
        program.replace(uv)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

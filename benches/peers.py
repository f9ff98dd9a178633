"""The peers of the lock file, in an environment of their own; their cases for as many items as ours."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GROUP = "peers"


def environment() -> Path:
    """The folder of the peers' programs, made from the lock where it is not there yet, kept in the user's cache."""
    uv = _uv()
    pins = _said(uv, "export", "--quiet", "--frozen", "--only-group", GROUP)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gitune-benches"
    folder = cache / f"peers-{hashlib.sha256(pins.encode()).hexdigest()[:12]}-{sys.version_info.minor}"
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "pins.txt").write_text(pins)
        _said(uv, "venv", "--quiet", "--python", sys.executable, str(folder / "venv"))
        python = str(folder / "venv" / "bin" / "python")
        _said(uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, "-r", str(folder / "pins.txt"))
        (folder / "ready").touch()
    return folder / "venv" / "bin"


def _uv() -> str:
    tools = ROOT / ".tools" / "bin" / "uv"
    found = os.environ.get("UV") or shutil.which("uv") or (str(tools) if tools.exists() else None)
    if found is None:
        raise SystemExit("uv is needed to install the peers: put it on the PATH, or name it in UV")
    return found


def _said(*command: str) -> str:
    """Exported rather than run from the lock, which names PyPI's own addresses: a mirror's users cannot reach them."""
    environ = {
        name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT"}
    }
    index = environ.get("UV_DEFAULT_INDEX") or environ.get("PIP_INDEX_URL")
    environ |= {"UV_DEFAULT_INDEX": index} if index else {}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:3])} failed:\n{done.stderr}")
    return done.stdout


_OCTODNS = """\
providers:
  config: {{class: octodns.provider.yaml.YamlProvider, directory: {zones}, default_ttl: 300, enforce_order: false}}
  there: {{class: octodns.provider.yaml.YamlProvider, directory: {there}, default_ttl: 300, enforce_order: false}}
zones:
  "*": {{sources: [config], targets: [there]}}
"""
_ZONE = """\
? ''
: type: NS
  values: [ns1.example.net., ns2.example.net.]
mail:
  type: MX
  values:
    - {{preference: 10, exchange: mail{number}.example.net.}}
www:
  type: CNAME
  value: zone{number}.example.net.
"""


def octodns_zones(folder: Path, zones: int) -> Path:
    """The configuration of as many zones, each in a file of its own; the target has the same ones already."""
    for side in ("zones", "there"):
        (folder / side).mkdir(parents=True)
        for number in range(zones):
            (folder / side / f"zone{number:06}.example.com.yaml").write_text(_ZONE.format(number=number))
    config = folder / "config.yaml"
    config.write_text(_OCTODNS.format(zones=folder / "zones", there=folder / "there"))
    return config


def dvc_repository(folder: Path, dvc: Path) -> None:
    """A repository in which dvc tracks nothing yet."""
    folder.mkdir(parents=True)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    environ = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    for words in (("init", "-q"), ("config", "core.analytics", "false")):
        subprocess.run([dvc, *words], cwd=folder, check=True, env=environ, stdout=subprocess.DEVNULL)


def dvc_track(folder: Path, path: str, data: Path) -> None:
    """A file of that repository that dvc tracks and has in its cache: ``data``, linked."""
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.hardlink_to(data)
    with data.open("rb") as content:
        digest = hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    kept = folder / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]
    kept.parent.mkdir(parents=True, exist_ok=True)
    if not kept.exists():
        kept.hardlink_to(data)
    said = f"outs:\n- md5: {digest}\n  size: {data.stat().st_size}\n  hash: md5\n  path: {file.name}\n"
    file.with_name(f"{file.name}.dvc").write_text(said)

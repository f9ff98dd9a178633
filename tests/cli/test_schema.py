"""The schemas for editors: written by `init`, printed and refreshed by `schema`, named by a file's first line."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from controller.specs.schema import header
from tests.cli.language_server import editing, installed
from tests.cli.running import Process

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
CHECK = Path(sys.executable).with_name("check-jsonschema")
FILES = ("gitune.yaml", "specs/sums.yaml")


def named(path: Path) -> Path:
    """The schema that the first line of a file leads to."""
    found = re.fullmatch(r"# yaml-language-server: \$schema=(.+)", path.read_text().splitlines()[0])
    assert found
    return (path.parent / found[1]).resolve(strict=True)


def checked(path: Path) -> subprocess.CompletedProcess[str]:
    words = [str(CHECK), "--schemafile", str(named(path)), str(path)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("file", FILES)
def test_what_init_writes_names_a_schema_that_is_there_and_fits_it(gitune: Process, folder: Path, file: str) -> None:
    assert gitune("init").returncode == 0
    path = folder / file

    assert checked(path).returncode == 0
    path.write_text(path.read_text() + "nonsense: 1\n")
    assert checked(path).returncode == 1


def test_the_copies_are_those_of_this_release_and_no_spec(gitune: Process, folder: Path) -> None:
    gitune("init")
    for name in ("controller.json", "tunedmodel.json"):
        assert (folder / ".gitune-schemas" / name).read_bytes() == (SCHEMAS / name).read_bytes()
    (folder / "gitune.yaml").write_text((folder / "gitune.yaml").read_text().replace("specs/**/*.yaml", "**/*.y*ml"))

    assert gitune("validate").stdout == "no problems\n1 spec, 100 examples\n"


@pytest.mark.parametrize("place", ["one.yaml", "specs/one.yaml", "specs/team/a/one.yaml"])
def test_the_first_line_leads_there_from_any_folder(gitune: Process, folder: Path, place: str) -> None:
    gitune("init")
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(header(place, "tunedmodel.json"))

    assert named(path) == folder / ".gitune-schemas" / "tunedmodel.json"


@pytest.mark.parametrize("name", ["tunedmodel", "controller", "daemon"])
def test_a_schema_is_printed_to_the_byte(process: Process, name: str) -> None:
    done = process("schema", name)

    assert (done.returncode, done.stdout, done.stderr) == (0, (SCHEMAS / f"{name}.json").read_text("utf-8"), "")


def test_without_a_kind_it_is_that_of_specs(gitune: Process) -> None:
    assert gitune("schema").stdout == (SCHEMAS / "tunedmodel.json").read_text("utf-8")
    assert gitune("schema", "other").returncode == 1


def test_a_copy_of_another_release_is_told_by_doctor_and_refreshed(gitune: Process, folder: Path) -> None:
    gitune("init")
    old = folder / ".gitune-schemas" / "tunedmodel.json"

    def told() -> str:
        findings = json.loads(gitune("doctor", "-o", "json").stdout)["findings"]
        return " ".join(f["message"] for f in findings if f["subject"] == "schemas" and f["well"])

    assert told() == ""
    old.write_text("{}\n")
    assert told() == ".gitune-schemas/tunedmodel.json is of another release: run `gitune schema --refresh`"
    done = gitune("schema", "--refresh", "-o", "json")
    assert json.loads(done.stdout) == {"schemaVersion": 1, "written": [".gitune-schemas/tunedmodel.json"]}
    assert old.read_bytes() == (SCHEMAS / "tunedmodel.json").read_bytes()
    assert told() == ""
    assert gitune("schema", "--refresh").stdout == "nothing to write\n"


def test_a_link_is_not_written_through(gitune: Process, folder: Path, tmp_path: Path) -> None:
    (folder / ".gitune-schemas").mkdir()
    (tmp_path / "mine").write_text("mine")
    (folder / ".gitune-schemas" / "controller.json").symlink_to(tmp_path / "mine")

    assert gitune("schema", "--refresh").returncode == 1
    assert (tmp_path / "mine").read_text() == "mine"


@pytest.mark.skipif(installed() is None, reason="the editors' own server is asked: npm install -g yaml-language-server")
def test_an_editor_completes_and_checks_what_init_writes(gitune: Process, folder: Path) -> None:
    gitune("init")
    deep = folder / "specs" / "team" / "deep.yaml"
    deep.parent.mkdir()
    server = installed()
    assert server
    with editing(server, folder) as editor:
        for file in FILES:
            assert editor.open(folder / file, (folder / file).read_text()) == []
        text = (folder / "specs/sums.yaml").read_text().splitlines()[1:]
        lines = [header("specs/team/deep.yaml", "tunedmodel.json").strip(), *text]
        (complaint,) = editor.open(deep, "\n".join([*lines, "  nonsense: 1", ""]))
        assert "nonsense" in complaint
        typing = deep.with_name("typing.yaml")
        editor.open(typing, "\n".join([*lines, "  wh"]))
        assert "whenSuperseded" in editor.complete(typing, len(lines), 4)
        settings = (folder / "gitune.yaml").read_text() + "pol"
        other = folder / "other.yaml"
        editor.open(other, settings)
        assert "policy" in editor.complete(other, settings.count("\n"), 3)

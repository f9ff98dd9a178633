"""Files that git converts at checkout: what `validate` and `plan` say is what `apply` will find in the commit."""

from pathlib import Path

import pytest

from tests.cli.running import Commit, Process, WriteSpec
from tests.git.repositories import Work

ATTRIBUTES = {
    "line ends": "* text=auto eol=crlf\n",
    "an encoding": "*.jsonl text working-tree-encoding=UTF-16\n",
}


@pytest.mark.parametrize("attributes", ATTRIBUTES.values(), ids=list(ATTRIBUTES))
def test_a_clean_working_tree_is_valid_and_does_not_differ(
    gitune: Process, folder: Path, spec: WriteSpec, commit: Commit, attributes: str
) -> None:
    spec("sums")
    commit("as it is stored")
    work = Work(folder)
    (folder / ".gitattributes").write_text(attributes)
    work.git("add", ".gitattributes")
    work.git("commit", "-qm", "attributes")
    before = (folder / "specs" / "sums.jsonl").read_bytes()
    for name in ("sums.jsonl", "sums.yaml"):
        (folder / "specs" / name).unlink()
    work.git("checkout", "--", "specs")
    assert before != (folder / "specs" / "sums.jsonl").read_bytes()
    assert work.git("status", "--porcelain") == ""

    checked = gitune("validate")
    planned = gitune("plan", "--offline")

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "no problems\n1 spec, 100 examples\n", "")
    assert "create" in planned.stdout
    assert "differ" not in planned.stderr


def test_an_edit_of_such_a_file_still_differs(gitune: Process, folder: Path, spec: WriteSpec, commit: Commit) -> None:
    spec("sums")
    (folder / ".gitattributes").write_text(ATTRIBUTES["line ends"])
    commit("one")
    path = folder / "specs" / "sums.jsonl"
    path.write_bytes(path.read_bytes().replace(b"sums 7", b"sum 7").replace(b"\n", b"\r\n"))

    assert "they differ in specs/sums.jsonl" in gitune("validate").stderr

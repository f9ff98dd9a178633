"""`gitune init` and `gitune validate`, as people and scripts use them."""

import json
import subprocess
from pathlib import Path

import pytest

from controller.server.engines.tiny.base import TINY
from tests.cli.running import Commit, Process, WriteSpec


def test_what_init_writes_is_valid_without_a_remark(process: Process, folder: Path) -> None:
    made = process("init", "-o", "json")
    assert json.loads(made.stdout) == {
        "schemaVersion": 1,
        "written": [
            *(".gitune-schemas/controller.json", ".gitune-schemas/tunedmodel.json"),
            *("gitune.yaml", "specs/datasets/sums.jsonl", "specs/sums.yaml"),
        ],
    }
    checked = process("validate")
    assert (checked.returncode, checked.stdout) == (0, "no problems\n1 spec, 100 examples\n")
    assert len((folder / "specs/datasets/sums.jsonl").read_text().splitlines()) == 100


def test_init_overwrites_nothing_and_then_writes_nothing(gitune: Process, folder: Path) -> None:
    (folder / "gitune.yaml").write_text("mine\n")
    done = gitune("init")
    assert done.returncode == 1
    assert done.stderr.startswith("error: these files are there already: gitune.yaml\n")
    assert [p.name for p in folder.iterdir()] == ["gitune.yaml"]
    assert (folder / "gitune.yaml").read_text() == "mine\n"


def test_init_in_a_folder_of_a_repository_writes_at_its_top_where_every_command_looks(
    gitune: Process, folder: Path, spec: WriteSpec, commit: Commit
) -> None:
    spec("mine")
    commit("one")
    below = folder / "team" / "a b"
    below.mkdir(parents=True)
    done = gitune("init", cwd=below)
    assert done.returncode == 0
    assert done.stderr == f"note: these files are at the top of the repository: {folder}\n"
    assert f"\nNext:\n  cd {folder}\n  gitune validate\n  git add . && git commit" in done.stdout
    assert list(below.iterdir()) == []
    for place in (folder, below):
        assert gitune("validate", cwd=place).stdout == "no problems\n2 specs, 200 examples\n"
    again = gitune("init", cwd=below)
    assert again.returncode == 1
    assert "these files are there already: " in again.stderr
    assert " gitune.yaml, " in again.stderr


def test_init_tells_the_whole_way_to_a_first_model(gitune: Process, folder: Path, tmp_path: Path) -> None:
    steps = (
        "  gitune validate\n  git init -b main && git add . && git commit -m 'A first model'\n  gitune apply --wait\n"
    )
    assert gitune("init").stdout.endswith(f"\nNext:\n{steps}")
    other = tmp_path / "a folder"
    other.mkdir()
    assert gitune("init", "--root", str(other)).stdout.endswith(f"\nNext:\n  cd '{other}'\n{steps}")
    subprocess.run(["git", "init", "-q", str(tmp_path / "made")], check=True)
    assert "\n  git add . && git commit" in gitune("init", cwd=tmp_path / "made").stdout


def test_init_has_nowhere_to_write_in_a_bare_repository(gitune: Process, folder: Path) -> None:
    subprocess.run(["git", "init", "-q", "--bare", str(folder)], check=True)
    done = gitune("init")
    assert done.returncode == 1
    assert f"error: {folder} is a bare repository" in done.stderr
    assert "hint: Start in a clone" in done.stderr


def test_init_does_not_write_through_a_dangling_link(gitune: Process, folder: Path, tmp_path: Path) -> None:
    (folder / "gitune.yaml").symlink_to(tmp_path / "elsewhere")
    assert gitune("init").returncode == 1
    assert not (tmp_path / "elsewhere").exists()


def test_every_problem_of_every_file_has_its_place_code_and_hint(gitune: Process, spec: WriteSpec) -> None:
    spec("one", "  hyperparameters: {epochCount: 0}\n")
    spec("two", "  nonsense: 1\n")
    done = gitune("validate", "-o", "json")
    problems = json.loads(done.stdout)["problems"]
    assert done.returncode == 1
    assert [(p["file"], p["line"]) for p in problems] == [("specs/one.yaml", 8), ("specs/two.yaml", 8)]
    assert all(p["code"].startswith("GT") and p["message"] and p["hint"] for p in problems)
    text = gitune("validate").stdout
    assert "specs/one.yaml:8:33: GT012 error epochCount must be at least 1" in text
    assert "\n2 errors\n" in text


def test_warnings_alone_are_well(gitune: Process, spec: WriteSpec, folder: Path) -> None:
    spec("few")
    rows = (folder / "specs/few.jsonl").read_text().splitlines(keepends=True)
    (folder / "specs/few.jsonl").write_text("".join([*rows, rows[0]]))
    done = gitune("validate")
    assert done.returncode == 0
    assert "specs/few.jsonl:101:" in done.stdout
    assert " warning " in done.stdout


def test_a_folder_without_a_spec_is_told_where_one_was_looked_for(gitune: Process, folder: Path) -> None:
    done = gitune("validate")
    assert (done.returncode, done.stdout) == (
        0,
        "no problems\n0 specs: none was found in specs/**/*.yaml or specs/**/*.yml\n",
    )
    (folder / "specs").mkdir(exist_ok=True)
    (folder / "specs/broken.yaml").write_text("kind: [\n")
    assert "none was found" not in gitune("validate").stdout


def test_a_spec_may_end_in_yml(gitune: Process, spec: WriteSpec, folder: Path) -> None:
    spec("short").rename(folder / "specs/short.yml")
    assert "\n1 spec, " in gitune("validate").stdout
    assert "\n1 spec, " in gitune("validate", "specs").stdout


def test_a_path_narrows_what_is_told(gitune: Process, spec: WriteSpec, folder: Path) -> None:
    spec("good")
    spec("bad", "  nonsense: 1\n")
    assert gitune("validate", "specs/good.yaml").returncode == 0
    assert gitune("validate", "specs/bad.yaml").returncode == 1
    assert gitune("validate", "good.yaml", cwd=folder / "specs").stdout.endswith("1 spec, 100 examples\n")
    assert gitune("validate", "specs").stdout == gitune("validate").stdout


@pytest.mark.parametrize("path", ["nope", "..", "/etc"])
def test_a_path_without_a_spec_is_an_error(gitune: Process, spec: WriteSpec, path: str) -> None:
    spec("good")
    done = gitune("validate", path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "\nhint: " in done.stderr


def test_a_wrong_gitune_yaml_is_told_like_any_other_problem(gitune: Process, folder: Path) -> None:
    (folder / "gitune.yaml").write_text("apiVersion: gitune.dev/v1alpha1\nkind: Controller\nspecz: []\n")
    done = gitune("validate", "-o", "json")
    (problem,) = json.loads(done.stdout)["problems"]
    assert done.returncode == 1
    assert (problem["file"], problem["line"]) == ("gitune.yaml", 3)
    refused = json.loads(gitune("status", "-o", "json").stdout)["error"]
    assert refused["class"] == "SpecInvalid"
    assert refused["problems"] == [problem]


def test_another_config_is_read_where_it_is_named(gitune: Process, folder: Path) -> None:
    (folder / "other.yaml").write_text("nonsense\n")
    assert "other.yaml:1:1" in gitune("validate", "--config", "other.yaml").stdout
    done = gitune("validate", "--config", "missing.yaml")
    assert done.returncode == 1
    assert "missing.yaml" in done.stderr


def test_a_folder_that_is_none_is_an_error_with_a_hint(gitune: Process) -> None:
    done = gitune("validate", "--root", "nowhere")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: nowhere is not a folder\nhint: Name one with --root.\n"


def test_hostile_names_reach_a_ci_log_as_text(gitune: Process, spec: WriteSpec, folder: Path) -> None:
    spec("good", '  nonsense: "x"\n')
    (folder / "specs" / "::error::owned\x1b[31m.yaml").write_text("apiVersion: gitune.dev/v1alpha1\nkind: TunedModel\n")
    for form in ("text", "json", "markdown"):
        done = gitune("validate", "-o", form)
        assert done.returncode == 1
        assert "owned" in done.stdout
        assert "\x1b" not in done.stdout
        assert not any(line.lstrip().startswith("::") for line in done.stdout.splitlines())


def test_no_row_of_a_dataset_is_shown(gitune: Process, spec: WriteSpec, folder: Path) -> None:
    spec("good")
    (folder / "specs/good.jsonl").write_text('{"text_input": "CANARY-IN", "output": ""}\nCANARY-RAW\n' * 30)
    for form in ("text", "json", "markdown"):
        done = gitune("validate", "-o", form, "--debug")
        assert done.returncode == 1
        assert "CANARY" not in done.stdout + done.stderr


def test_an_output_that_the_embedded_provider_would_refuse_has_its_line_here(
    gitune: Process, spec: WriteSpec, folder: Path
) -> None:
    spec("long")
    rows = (folder / "specs/long.jsonl").read_text()
    whole = json.dumps({"text_input": "as long as it may be", "output": "x" * TINY.output_tokens})
    longer = json.dumps({"text_input": "longer", "output": "x" * (TINY.output_tokens + 1)})
    (folder / "specs/long.jsonl").write_text(f"{rows}{whole}\n{longer}\n")
    done = gitune("validate", "-o", "json")
    (problem,) = [p for p in json.loads(done.stdout)["problems"] if p["severity"] == "error"]
    assert done.returncode == 1
    assert (problem["file"], problem["line"], problem["code"]) == ("specs/long.jsonl", 102, "GT207")


def test_files_that_are_not_as_in_head_are_named_beside_the_problems(
    gitune: Process, folder: Path, spec: WriteSpec, commit: Commit
) -> None:
    spec("good")
    spec("other")
    commit("one")
    assert gitune("validate").stderr == ""
    with (folder / "specs/good.jsonl").open("a") as rows:
        rows.write('{"text_input": "more", "output": "1"}\n')
    told = "note: this is about the working tree, apply acts on HEAD; they differ in specs/good.jsonl\n"
    assert gitune("validate").stderr == told
    assert gitune("validate", "specs/good.yaml").stderr == told
    assert gitune("validate", "specs/other.yaml").stderr == ""
    asked = gitune("validate", "-o", "json")
    assert (set(json.loads(asked.stdout)), asked.stderr) == ({"schemaVersion", "problems", "summary"}, told)


def test_a_spec_that_is_gone_from_disk_and_a_broken_gitune_yaml_differ_from_head_too(
    gitune: Process, folder: Path, spec: WriteSpec, commit: Commit
) -> None:
    spec("good")
    spec("gone")
    commit("one")
    (folder / "specs/gone.yaml").unlink()
    assert gitune("validate").stderr.endswith("; they differ in specs/gone.yaml\n")
    (folder / "gitune.yaml").write_text("nonsense\n")
    done = gitune("validate")
    assert done.returncode == 1
    assert done.stderr.endswith("; they differ in gitune.yaml\n")


@pytest.mark.parametrize("path", ["gitune.yaml", "."])
def test_the_configuration_is_checked_as_what_it_is_and_never_as_a_spec(
    gitune: Process, folder: Path, spec: WriteSpec, path: str
) -> None:
    spec("good")
    settings = "apiVersion: gitune.dev/v1alpha1\nkind: Controller\n"
    (folder / "gitune.yaml").write_text(settings)
    done = gitune("validate", path)
    counted = "0 specs, 0 examples" if path == "gitune.yaml" else "1 spec, 100 examples"
    assert (done.returncode, done.stdout) == (0, f"no problems\n{counted}\n")
    (folder / "gitune.yaml").write_text(f"{settings}specz: []\n")
    assert gitune("validate", path).stdout.startswith("gitune.yaml:3:1: GT001 error there is no field 'specz'")


def test_another_config_is_no_spec_either_but_a_controller_elsewhere_is_told(
    gitune: Process, folder: Path, spec: WriteSpec
) -> None:
    spec("good")
    for name in ("other.yaml", "specs/stray.yaml"):
        (folder / name).write_text("apiVersion: gitune.dev/v1alpha1\nkind: Controller\n")
    assert gitune("validate", "other.yaml", "--config", "other.yaml").returncode == 0
    for arguments in (("other.yaml",), ("specs",), ("specs", "--config", "other.yaml")):
        assert " GT005 error a Controller document is not a spec\n" in gitune("validate", *arguments).stdout


def test_a_pattern_for_specs_may_fit_gitune_yaml_too(gitune: Process, folder: Path, spec: WriteSpec) -> None:
    spec("good")
    (folder / "gitune.yaml").write_text("apiVersion: gitune.dev/v1alpha1\nkind: Controller\nspecs: ['**/*.yaml']\n")
    for arguments in ((), (".",), ("gitune.yaml",)):
        assert gitune("validate", *arguments).returncode == 0


def test_an_unknown_provider_is_answered_with_those_that_gitune_yaml_has(gitune: Process, spec: WriteSpec) -> None:
    spec("good", "  provider: openai\n")
    assert "hint: the providers in gitune.yaml: local\n" in gitune("validate").stdout


def test_a_former_name_is_no_spec_of_its_own(gitune: Process, spec: WriteSpec, commit: Commit) -> None:
    path = spec("good")
    path.write_text(path.read_text().replace("  name: good\n", "  name: good\n  formerNames: [old]\n"))
    assert "\n1 spec, 100 examples\n" in gitune("validate").stdout
    commit("one")
    assert any(line.split()[:4] == ["ok", "specs", "1", "spec,"] for line in gitune("doctor").stdout.splitlines())

"""Repositories, names and addresses made to run something: nothing of them ever runs."""

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.git.failures import GitFailed, NotFound
from controller.git.layout import find_repository, open_repository
from controller.git.mirror import mirror_of
from controller.git.parsing import LocalPath, NetworkUrl, branch_ref, is_ref_name, parse_location
from controller.git.writing import CommitDraft, swap_ref, write_commit
from tests.git.repositories import Trap, Work, arm

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_trap_is_armed(trap: Trap) -> None:
    subprocess.run(["git", "status"], cwd=trap.work.root, check=False, capture_output=True)
    subprocess.run(["git", "update-ref", "refs/heads/x", "HEAD"], cwd=trap.work.root, check=False, capture_output=True)

    assert any("reference-transaction" in line for line in trap.sprung())
    assert len(trap.sprung()) > 3


async def test_reading_and_writing_an_armed_repository_runs_nothing_of_it(trap: Trap, gitune_home: Path) -> None:
    mirror = mirror_of(open_repository(trap.work.root), gitune_home)

    commit = mirror.commit("HEAD")
    tree = mirror.tree(commit)
    contents = [mirror.blob(entry) for entry in tree]
    draft = CommitDraft({"README.md": b"hello", "status/a.yaml": b"x"}, (), None, "first", NOW)
    new, _ = await write_commit(mirror, draft, frozenset())
    await swap_ref(mirror, "refs/heads/gitune-status", None, new, NOW)
    mirror.close()

    assert b"row\n" in contents
    assert trap.sprung() == []
    (trap.work.root / ".git" / "config").write_text("[core]\n\tbare = false\n\thooksPath = /dev/null\n")
    assert trap.work.git("show", "gitune-status:status/a.yaml") == "x"


async def test_the_environment_of_the_caller_does_not_reach_git(
    trap: Trap, make: Callable[..., Work], gitune_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make("other")
    wanted = other.commit({"a": "the right one"})
    script = str(trap.marker.parent / "evil")
    for name in ("GIT_SSH_COMMAND", "GIT_EXTERNAL_DIFF", "GIT_PAGER", "GIT_ASKPASS", "GIT_EDITOR", "GIT_PROXY_COMMAND"):
        monkeypatch.setenv(name, script)
    monkeypatch.setenv("GIT_DIR", str(trap.work.root / ".git"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(trap.work.root / ".git" / "objects"))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", f"'core.fsmonitor={script}'")
    monkeypatch.setenv("GIT_TRACE", str(trap.marker))

    trap.marker.unlink(missing_ok=True)
    mirror = mirror_of(open_repository(other.root), gitune_home)
    (entry,) = mirror.tree(mirror.commit("HEAD"))

    assert mirror.commit("HEAD") == wanted
    assert mirror.blob(entry) == b"the right one"
    assert trap.sprung() == []
    mirror.close()


def test_a_bare_repository_planted_in_a_tree_is_not_found_from_below(make: Callable[..., Work], tmp_path: Path) -> None:
    outer = make("outer")
    outer.commit({"a": "1"})
    subprocess.run(["git", "init", "-q", "--bare", str(outer.root / "sub")], check=True)
    script = tmp_path / "evil"
    arm(outer.root / "sub", script)
    (outer.root / "sub" / "specs").mkdir()

    found = find_repository(outer.root / "sub" / "specs")

    assert found is not None
    assert found.git_dir == outer.root / ".git"


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def hostile_arguments() -> list[str]:
    options = [
        *("-u", "--upload-pack=touch m", "--receive-pack=x", "--exec=x", "-c", "-ccore.sshCommand=x", "--config=x=y"),
        *(
            "--template=/tmp",
            "--bundle-uri=http://x",
            "--output=/tmp/m",
            "-o",
            "--server-option=x",
            "-F",
            "--add-file=x",
        ),
        *(
            "--git-dir=/tmp",
            "--work-tree=/",
            "--namespace=x",
            "--exec-path=/tmp",
            "-C/tmp",
            "-p",
            "--paginate",
            "--help",
        ),
    ]
    shells = ["$(touch m)", "`touch m`", ";touch m", "|touch m", "&& touch m", "\ntouch m", "a\0b", "${HOME}", "$TOKEN"]
    transports = [
        *(
            "ext::sh -c touch% m",
            "fd::17",
            "fd::17,18/x",
            "transport::address",
            "git://h/x",
            "ftp://h/x",
            "rsync://h/x",
        ),
        *(
            "ext::ssh://x",
            "file://evil.example/x",
            "http://evil.example/x",
            "dav://h/x",
            "git+ssh://h/x",
            "ssh+git://h/x",
        ),
        *("ssh://-oProxyCommand=touch/x", "-oProxyCommand=x:y", "ssh://u@-h/x", "u@-oProxyCommand=x:y", "ssh://h/ x"),
        *(
            "https://h/x?upload-pack=1",
            "https://h/x#f",
            "https://$TOKEN.evil/x\n",
            "https://h",
            "https:///x",
            "ssh://h",
        ),
    ]
    names = [
        "a..b",
        "a b",
        "a~b~",
        "a^{/x}",
        "a:b",
        "a?b",
        "a*b",
        "a[b",
        "a\\b",
        "a@{1}",
        "@",
        "",
        "a.lock",
        ".a",
        "a/",
        "/a",
    ]
    names += [
        "a//b",
        "a.",
        "HEAD:specs",
        ":/message",
        "main@{upstream}",
        "^main",
        "main^{tree}",
        "main~99999999",
        "a\x7fb",
    ]
    return [*options, *shells, *transports, *names]


@pytest.mark.parametrize("prefix", ["", "-", "--", " "], ids=["as it is", "dash", "dashes", "space"])
async def test_no_text_of_a_user_becomes_an_option_or_runs_anything(
    trap: Trap, gitune_home: Path, prefix: str, tmp_path: Path
) -> None:
    mirror = mirror_of(open_repository(trap.work.root), gitune_home)
    before = listed(tmp_path)

    for text in [prefix + text for text in hostile_arguments()]:
        with pytest.raises(NotFound):
            mirror.commit(text)
        if not is_ref_name(text):
            with pytest.raises(NotFound):
                branch_ref(text)

    assert trap.sprung() == []
    assert listed(tmp_path) == before


@pytest.mark.parametrize("text", [t for t in hostile_arguments() if "::" in t or "://" in t or t.startswith("-")])
def test_addresses_off_the_allow_list_are_refused(text: str) -> None:
    with pytest.raises(GitFailed) as caught:
        parse_location(text)

    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://github.com/Acme/Models.git", "github.com/acme/models"),
        ("https://user:secret@github.com/acme/models", "github.com/acme/models"),
        ("git@github.com:acme/models.git", "github.com/acme/models"),
        ("ssh://git@github.com:22/acme/models.git/", "github.com/acme/models"),
        ("https://git.example.com:8443/Team/Models", "git.example.com/Team/Models"),
        ("ssh://[::1]/srv/models.git", "::1/srv/models"),
    ],
)
def test_an_address_names_its_repository_whichever_way_it_is_written(text: str, shown: str) -> None:
    location = parse_location(text)

    assert isinstance(location, NetworkUrl)
    assert location.identity == shown
    assert "secret" not in location.url


@pytest.mark.parametrize("text", ["/srv/models.git", "../models", "file:///srv/models.git", "file://localhost/srv/m"])
def test_paths_are_local(text: str) -> None:
    assert isinstance(parse_location(text), LocalPath)


async def test_submodules_are_never_followed(make: Callable[..., Work], gitune_home: Path) -> None:
    work = make()
    first = work.commit({"a": "1"})
    work.git("update-index", "--add", "--cacheinfo", f"160000,{first},sub")
    (work.root / ".gitmodules").write_text('[submodule "../../x"]\n\tpath = sub\n\turl = ext::touch% m\n')
    work.git("add", ".gitmodules")
    work.git("commit", "-qm", "submodule")

    mirror = mirror_of(open_repository(work.root), gitune_home)
    tree = mirror.tree(mirror.commit("HEAD"))

    assert [entry.mode for entry in tree if entry.path == b"sub"] == ["160000"]


async def test_replaced_objects_are_read_as_they_were_committed(make: Callable[..., Work], gitune_home: Path) -> None:
    work = make()
    reviewed = work.commit({"a": "reviewed"})
    other = work.commit({"a": "swapped in"})
    work.git("reset", "-q", "--hard", reviewed)
    work.git("replace", reviewed, other)

    mirror = mirror_of(open_repository(work.root), gitune_home)
    (entry,) = mirror.tree(reviewed)

    assert mirror.blob(entry) == b"reviewed"
    mirror.close()


def test_importing_gitpython_inside_an_armed_repository_runs_nothing(trap: Trap) -> None:
    program = "import sys; sys.path[:0] = [sys.argv[1]]; import controller.git.objects"
    subprocess.run([sys.executable, "-c", program, str(Path.cwd())], cwd=trap.work.root, check=True)

    assert trap.sprung() == []

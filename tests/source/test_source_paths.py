"""A path written in a spec names a file of the repository, or gives an error with a code; it never leads out of it."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.errors import Unreadable
from controller.ports import Entry, EntryKind
from controller.source.paths import LONGEST_PATH, collisions, nearest, resolve


@pytest.mark.parametrize(
    ("spec", "path", "found"),
    [
        ("specs/a.yaml", "data/x.jsonl", "specs/data/x.jsonl"),
        ("specs/a.yaml", "./x.jsonl", "specs/x.jsonl"),
        ("specs/a.yaml", "../data/x.jsonl", "data/x.jsonl"),
        ("specs/deep/a.yaml", "../../x", "x"),
        ("a.yaml", "x//y", "x/y"),
        ("a.yaml", "with space/ü.jsonl", "with space/ü.jsonl"),
        ("a.yaml", "..data/x", "..data/x"),
        ("a.yaml", ".gitignore", ".gitignore"),
        ("a.yaml", "$HOME/x", "$HOME/x"),
        ("a.yaml", "-rf", "-rf"),
    ],
)
def test_a_path_is_taken_from_the_folder_of_its_spec(spec: str, path: str, found: str) -> None:
    assert resolve(spec, path) == found


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("", "GT410"),
        ("   ", "GT410"),
        ("/etc/passwd", "GT411"),
        ("//host/share", "GT411"),
        ("../../x", "GT412"),
        ("../../../../proc/self/environ", "GT412"),
        ("a/../../../x", "GT412"),
        ("..\\x", "GT413"),
        ("a\\b", "GT413"),
        ("C:/x", "GT413"),
        ("c:x", "GT413"),
        ("~/x", "GT414"),
        ("~root/x", "GT414"),
        ("a\0b", "GT415"),
        ("a\nb", "GT415"),
        ("a\x1b[31m", "GT415"),
        ("a\u2028b", "GT415"),
        ("a\ud800", "GT415"),
        ("x" * (LONGEST_PATH + 1), "GT416"),
        ("é" * (LONGEST_PATH // 2), "GT416"),
        (".git/config", "GT417"),
        ("a/.GIT/hooks/x", "GT417"),
        ("a/.git./x", "GT417"),
        ("a/git~1/x", "GT417"),
        ("a/.g\u200cit/x", "GT417"),
        ("a/", "GT418"),
        ("..", "GT418"),
        (".", "GT418"),
        ("a/..", "GT418"),
    ],
)
def test_a_path_that_names_no_file_of_the_repository_has_its_own_code(path: str, code: str) -> None:
    with pytest.raises(Unreadable) as caught:
        resolve("specs/a.yaml", path)

    assert caught.value.code == code
    assert caught.value.hint
    assert caught.value.message.isprintable()


PARTS = ["..", ".", "", "a", "b", ".git", "~", "/", "\\", "C:", "\0", "\n", "é", "..a", "etc", "proc", "self", "%2e%2e"]


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.sampled_from(PARTS) | st.text(max_size=4), max_size=8).map("/".join))
def test_no_path_ever_leaves_the_repository(path: str) -> None:
    try:
        found = resolve("specs/team/a.yaml", path)
    except Unreadable as error:
        found = ""
        hinted = bool(error.hint)
    else:
        hinted = True

    assert hinted
    assert not found.startswith("/")
    assert ".." not in found.split("/")
    assert found == "" or posixpath.normpath("/r/specs/team/" + path) in {f"/r/{found}", f"//r/{found}"}


@pytest.mark.parametrize(
    ("path", "known", "meant"),
    [
        ("data/x.jsonl", ["data/X.jsonl", "other"], "data/X.jsonl"),
        ("data/x.jsonl", ["datasets/x.jsonl"], "datasets/x.jsonl"),
        ("data/exmples.jsonl", ["data/examples.jsonl", "data/other.csv"], "data/examples.jsonl"),
        ("data/exmples.jsonl", ["data/examples.csv", "data/examples.jsonl"], "data/examples.jsonl"),
        ("data/examples.json", ["data/examples.jsonl"], "data/examples.jsonl"),
        ("data/nothere.jsonl", ["data/eval.jsonl"], None),
        ("data/x", ["unlike/anything"], None),
        ("a", [], None),
    ],
)
def test_the_path_that_is_meant_is_found(path: str, known: list[str], meant: str | None) -> None:
    assert nearest(path, known) == meant


def test_paths_that_some_systems_cannot_tell_apart_are_a_problem() -> None:
    paths = [
        "specs/Model.yaml",
        "specs/model.yaml",
        "specs/mod\u00e8le.yaml",
        "specs/mode\u0300le.yaml",
        "specs/other.yaml",
    ]

    problems = collisions(Entry(path, EntryKind.FILE, 1) for path in paths)

    assert [problem.code for problem in problems] == ["GT419", "GT419"]
    assert {problem.file for problem in problems} == {"specs/model.yaml", "specs/mod\u00e8le.yaml"}

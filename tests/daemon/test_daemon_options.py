"""What `gitune run` refuses to start with, each with what to do about it."""

from pathlib import Path

import pytest

from controller.cli.main import run


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--branch", "main"), "--branch goes with --repo"),
        (("--repo", "/x", "--worktree"), "--worktree goes with --root"),
        (("--repo", "/x", "--root", "."), "--root does not go with --repo"),
        (("--repo", "https://x"), "'https://x' is not a repository address Gitune uses"),
        (("--repo", "git://host/models.git"), "is not a repository address Gitune uses"),
        (("--repo", "https://user:word@host/a?b"), "'https://host/a?b' is not a repository address Gitune uses"),
        (("--repo", "/x", "--branch", "a..b"), "'a..b' is not a name a branch can have"),
        (("--listen", "8080"), "HOST:PORT"),
        (("--webhook-secret-file", "nothing"), "--webhook-secret-file goes with --listen"),
        (("--listen", "127.0.0.1:0", "--webhook-secret-file", "nothing"), "cannot be read"),
        (("--notify-url-file", "nothing"), "cannot be read"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(
    words: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["run", *words]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert "hint: " in error
    assert "Traceback" not in error


@pytest.mark.parametrize("words", [("--interval", "0"), ("--notify-on", "some"), ("--notify-format", "xml")])
def test_values_that_do_not_exist_are_refused(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", *words]) == 1
    assert "error" in capsys.readouterr().err.lower()

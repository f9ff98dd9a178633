"""Real repositories to try git on, and one in which everything that git can be made to run is armed."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

HOOKS = re.findall(
    r"\S+",
    """
    applypatch-msg commit-msg fsmonitor-watchman post-applypatch post-checkout post-commit post-index-change post-merge
    post-receive post-rewrite post-update pre-applypatch pre-auto-gc pre-commit pre-merge-commit pre-push pre-rebase
    pre-receive prepare-commit-msg proc-receive push-to-checkout reference-transaction update
    """,
)


@dataclass(frozen=True)
class Work:
    """A working tree that git is run in as its owner would."""

    root: Path

    def git(self, *words: str) -> str:
        who = {f"GIT_{role}_{part}": "a@example.com" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
        done = subprocess.run(
            ["git", *words], cwd=self.root, env=os.environ | who, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, files: dict[str, str], message: str = "change") -> str:
        for path, text in files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")


@dataclass(frozen=True)
class Trap:
    """A repository whose every hook and setting writes a line into ``marker``."""

    work: Work
    marker: Path

    def sprung(self) -> list[str]:
        return self.marker.read_text().splitlines() if self.marker.exists() else []


def new_work(root: Path, *options: str) -> Work:
    """An empty repository with a branch ``main``."""
    subprocess.run(["git", "init", "-q", "-b", "main", *options, str(root)], check=True)
    return Work(root)


def new_trap(root: Path, marker: Path) -> Trap:
    """A repository that is armed."""
    work = new_work(root)
    work.commit({"specs/a.yaml": "a", "data.jsonl": "row\n", ".gitattributes": "* filter=evil diff=evil merge=evil\n"})
    script = marker.parent / "evil"
    script.write_text(f'#!/bin/sh\necho "$0 $*" >> {marker}\ncat 2>/dev/null\nexit 0\n')
    script.chmod(0o755)
    arm(work.root / ".git", script)
    return Trap(work, marker)


def arm(git_dir: Path, script: Path) -> None:
    hooks = git_dir / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in HOOKS:
        hook = hooks / name
        hook.unlink(missing_ok=True)
        hook.symlink_to(script)
    evil = f"""
[core]
\tfsmonitor = {script}
\tsshCommand = {script}
\tgitProxy = {script}
\taskPass = {script}
\tpager = {script}
\teditor = {script}
\talternateRefsCommand = {script}
\thooksPath = {hooks}
[filter "evil"]
\tclean = {script}
\tsmudge = {script}
\tprocess = {script}
\trequired = true
[diff]
\texternal = {script}
[diff "evil"]
\ttextconv = {script}
\tcommand = {script}
[merge "evil"]
\tdriver = {script}
[commit]
\tgpgSign = true
[push]
\tgpgSign = if-asked
[gpg]
\tprogram = {script}
[credential]
\thelper = {script}
[alias]
\tls-tree = !{script}
\tupdate-ref = !{script}
[uploadpack]
\tpackObjectsHook = {script}
[protocol "ext"]
\tallow = always
[extensions]
\tworktreeConfig = true
[gc]
\trecentObjectsHook = {script}
"""
    (git_dir.parent / "evil.config").write_text(evil)
    with (git_dir / "config").open("a") as config:
        config.write(evil + f"[include]\n\tpath = {git_dir.parent / 'evil.config'}\n")
    (git_dir / "config.worktree").write_text(evil)
    (git_dir / "info").mkdir(exist_ok=True)
    (git_dir / "info" / "attributes").write_text("* filter=evil diff=evil merge=evil export-subst\n")


def clone(source: Path, target: Path, *options: str) -> None:
    """As git clones over its own protocol."""
    subprocess.run(["git", "clone", "-q", *options, f"file://{source}", str(target)], check=True)

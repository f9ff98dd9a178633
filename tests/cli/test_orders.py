"""What `gitune apply` is told on its command line, and what it refuses before it looks at anything."""

from __future__ import annotations

import json

import pytest

from tests.cli.running import Commit, Process, WriteSpec


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("foo", "Did you mean delete:foo? "),
        ("create", "Did you mean creates? "),
        ("Empty", "Did you mean empty? "),
        ("behind:numbers", "Did you mean behind? "),
        ("delete", "Did you mean delete:NAME? "),
        ("deletes:numbers", "Did you mean delete:numbers? "),
        ("delete:Not A Name", ""),
        ("reviewed:numbers", "Did you mean review:numbers? "),
        ("!", ""),
        ("", ""),
    ],
)
def test_a_word_that_no_guard_has_is_refused_with_the_words_that_there_are(
    gitune: Process, word: str, meant: str
) -> None:
    done = gitune("apply", "--allow", word)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: --allow {word!r} is no word that a guard has\n"
        f"hint: {meant}The words are behind, creates, empty, delete:NAME and review:NAME.\n"
    )


@pytest.mark.parametrize("digest", ["abc", "0" * 63, "0" * 65, "A" * 64, "", "g" * 64])
def test_a_digest_that_no_plan_can_have_is_no_plan_that_moved(gitune: Process, digest: str) -> None:
    done = gitune("apply", "--plan-digest", digest, "-o", "json")
    error = json.loads(done.stdout)["error"]
    assert done.returncode == 1
    assert error["message"].endswith("is no digest of a plan: that has 64 digits, 0-9 and a-f")
    assert "`gitune plan`" in error["hint"]


def test_every_word_of_a_guard_is_taken_whether_or_not_one_stands(
    gitune: Process, spec: WriteSpec, commit: Commit
) -> None:
    spec("numbers", "  suspend: true\n")
    commit("one")
    words = ("behind", "creates", "empty", "delete:numbers", "delete:gone", "review:numbers")
    done = gitune("apply", *(part for word in words for part in ("--allow", word)))
    assert done.returncode == 0

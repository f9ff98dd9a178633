"""A job's door to the simulated code host: a `controller.ports.CodeHost` that may be silent, or lose an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from controller.errors import CodeHostError
from controller.ports.code_host import Authored, Check, Comment, CommitStatus, Pull, Said, Sign
from tests.simulation.chance import Draw
from tests.simulation.faults import Faults
from tests.simulation.forge import BOT, MAIN, Forge, Remark, Request
from tests.simulation.lives import Incarnation
from tests.simulation.times import rfc3339

_PAGE = 100


class SimHost:
    """What one job may ask and say. ``read_only``: its token may not write."""

    comment_limit = 60_000

    def __init__(self, forge: Forge, life: Incarnation, faults: Faults, draw: Draw, *, read_only: bool = False) -> None:
        self._forge = forge
        self._life = life
        self._faults = faults
        self._draw = draw
        self._read_only = read_only
        self._lost = ""

    async def login(self) -> str:
        """Who our comments are written by."""
        self._life.touch("login")
        return BOT

    async def default_branch(self) -> str:
        """The branch that is applied."""
        await self._asked("default branch")
        return MAIN

    async def tip(self, branch: str) -> str:
        """The commit a branch stands on."""
        await self._asked(f"tip of {branch}")
        return self._forge.tip(branch)

    async def pull(self, number: int) -> Pull:
        """One pull request as it is now."""
        await self._asked(f"pull {number}")
        if number not in self._forge.pulls:
            raise CodeHostError(f"there is no pull request {number}", missing=True)
        return self._pull(self._forge.pulls[number])

    async def pulls_of(self, commit: str) -> Sequence[Pull]:
        """Those that a commit belongs to; of a rebase merge only its last one tells."""
        await self._asked(f"pulls of {commit[:8]}")
        found = [p for p in self._forge.pulls.values() if commit in p.own or commit in p.landed[-1:]]
        return [replace(self._pull(p), commits=0, merged_by="") for p in found]  # a list tells less than each by itself

    async def commits_of(self, pull: int) -> Sequence[Authored]:
        """The commits of a pull request as they were before its merge."""
        await self._asked(f"commits of {pull}")
        wrote = [self._forge.repository.commits[one].wrote for one in self._forge.pulls[pull].own]
        return [Authored(one.author, rfc3339(one.at), one.message) for one in wrote]

    async def comment(self, number: int) -> Comment | None:
        """One comment as it is now."""
        await self._asked(f"comment {number}")
        there = self._forge.remarks.get(number)
        return _comment(there) if there is not None and not there.gone else None

    async def comments(self, pull: int) -> Sequence[Comment]:
        """Every comment of a conversation, the oldest first."""
        await self._asked(f"comments of {pull}")
        return [_comment(one) for one in self._forge.remarks.values() if one.pull == pull and not one.gone]

    async def latest_comments(self, pages: int) -> Sequence[Comment]:
        """Those that were changed last, newest first."""
        await self._asked("latest comments")
        there = sorted((r for r in self._forge.remarks.values() if not r.gone), key=lambda r: (-r.updated, -r.id))
        return [_comment(one) for one in there[: pages * _PAGE]]

    async def create_comment(self, pull: int, said: Said) -> Comment:
        """Say something new."""
        await self._writes(f"comment on {pull}")
        made = self._forge.post(self._life.label, Remark(0, pull, BOT, said.body, said.memory))
        await self._answered()
        return _comment(made)

    async def edit_comment(self, comment: int, said: Said) -> Comment:
        """Put another text in its place."""
        await self._writes(f"edit of {comment}")
        there = self._forge.remarks[comment]
        if there.gone:
            raise CodeHostError(f"there is no comment {comment}", missing=True)
        made = self._forge.post(self._life.label, replace(there, body=said.body, memory=said.memory))
        await self._answered()
        return _comment(made)

    async def delete_comment(self, comment: int) -> None:
        """Take one of our own away."""
        await self._writes(f"deletion of {comment}")
        there = self._forge.remarks[comment]
        if not there.gone:
            self._forge.post(self._life.label, replace(there, gone=True))
        await self._answered()

    async def answer(self, comment: int, answer: Sign) -> None:
        """A sign beside a comment; nobody reads it here."""
        await self._writes(f"{answer} to {comment}")

    async def may_write(self, login: str) -> bool:
        """Whether somebody may push at this moment."""
        await self._asked(f"rights of {login}")
        return login in self._forge.rights

    async def begin(self, check: str, head: str) -> bool:
        """Show that a check is being made."""
        await self._asked(f"{check} of {head[:8]}")
        return not self._read_only

    async def publish(self, check: Check) -> None:
        """A check beside its commit; nobody reads it here."""
        await self._writes(f"check of {check.head[:8]}")

    async def set_status(self, commit: str, status: CommitStatus) -> None:
        """A line beside a commit; nobody reads it here."""
        await self._writes(f"{status.context} of {commit[:8]}")

    async def close(self) -> None:
        """Nothing is held open."""

    async def _asked(self, what: str) -> None:
        self._life.touch(what)
        await asyncio.sleep(self._draw.between(0.05, 0.5))
        self._life.touch(what)
        if self._faults.pick("host"):
            raise CodeHostError(f"the code host does not answer: {what}")

    async def _writes(self, what: str) -> None:
        await self._asked(what)
        if self._read_only:
            raise CodeHostError(f"this token may not write: {what}", forbidden=True)
        self._lost = self._faults.pick("host.write")
        if self._lost == "host.refused":
            raise CodeHostError(f"the code host did not do it: {what}")

    async def _answered(self) -> None:
        """Carried out by now; the answer may not come."""
        lost, self._lost = self._lost, ""
        await asyncio.sleep(self._draw.between(0.05, 0.3))
        self._life.touch("answer")
        if lost:
            raise CodeHostError("no answer came from the code host", lost=True)

    def _pull(self, pull: Request) -> Pull:
        return Pull(
            number=pull.number,
            head=pull.head,
            base=self._forge.tip(pull.branch),
            base_branch=pull.branch,
            head_repository="fork/models" if pull.fork else "example/models",
            merged=pull.merged,
            merged_at=rfc3339(pull.merged_at) if pull.merged_at is not None else "",
            merged_by=pull.merged_by,
            merge_commit=pull.landed[-1] if pull.landed else "",
            is_open=pull.is_open,
            commits=len(pull.own),
        )


def _comment(remark: Remark) -> Comment:
    return Comment(
        id=remark.id,
        author=remark.author,
        body=remark.body,
        pull=remark.pull,
        memory=remark.memory,
        updated=rfc3339(remark.updated),
    )

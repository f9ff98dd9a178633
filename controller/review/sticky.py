"""A text and a pull request to its one comment: found by author and memory, written only where it is news."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from controller.errors import CodeHostError
from controller.ports.code_host import CodeHost, Comment, Said
from controller.report.plan_comment import JOB_LINK
from controller.rest import redact
from controller.review.memory import is_plan

_LINK = re.compile(rf" · \[{re.escape(JOB_LINK)}\]\([^)\s]{{0,500}}\)")


async def publish(host: CodeHost, pull: int, said: Said) -> Comment:
    """The comment that says this, edited or new; where two jobs raced, the oldest stays alone.

    Raises `CodeHostError`.
    """
    said = replace(said, body=redact(said.body))
    mine = await _all(host, pull)
    if not mine:
        return await _create(host, pull, said)
    for younger in mine[1:]:
        await host.delete_comment(younger.id)
    return mine[0] if _is_same(mine[0], said) else await host.edit_comment(mine[0].id, said)


async def find(host: CodeHost, pull: int) -> Comment | None:
    """Our comment on a pull request. Raises `CodeHostError`."""
    mine = await _all(host, pull)
    return mine[0] if mine else None


async def ours(host: CodeHost, comments: Sequence[Comment]) -> tuple[Comment, ...]:
    """Those that we wrote: a memory alone proves nothing, since anybody can type one."""
    login = (await host.login()).lower()
    return tuple(c for c in comments if c.author.lower() == login and is_plan(c.memory))


async def _all(host: CodeHost, pull: int) -> tuple[Comment, ...]:
    return await ours(host, await host.comments(pull))


async def _create(host: CodeHost, pull: int, said: Said) -> Comment:
    try:
        made = await host.create_comment(pull, said)
    except CodeHostError as error:
        if not error.lost:
            raise
        made = await find(host, pull) or await host.create_comment(pull, said)
    first, *younger = await _all(host, pull) or (made,)
    if not younger or first.id == made.id:
        return made
    # Another job was faster by a moment: the younger comment goes, and the older one says what this job has to say.
    await host.delete_comment(made.id)
    return first if _is_same(first, said) else await host.edit_comment(first.id, said)


def _is_same(there: Comment, said: Said) -> bool:
    """Whether nothing but a link to a job would change; hosts change line ends and drop blanks at the end."""
    return there.memory == said.memory and _told(there.body) == _told(said.body)


def _told(body: str) -> str:
    return _LINK.sub("", body.replace("\r\n", "\n")).rstrip()

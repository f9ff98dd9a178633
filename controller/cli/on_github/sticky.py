"""A body and a pull request to its one comment: found by author and marker, written only where it changes."""

from __future__ import annotations

from collections.abc import Sequence

from controller.errors import ForgeError
from controller.ports import Forge
from controller.report.marker import is_marked
from controller.rest import redact
from controller.state.review import Comment


async def publish(forge: Forge, pull: int, body: str) -> Comment:
    """The comment with this body, edited or new. Raises `ForgeError`."""
    said = redact(body)
    found = await find(forge, pull)
    if found is None:
        return await _create(forge, pull, said)
    if _same(found.body, said):
        return found
    return await forge.edit_comment(found.id, said)


async def find(forge: Forge, pull: int) -> Comment | None:
    """Our comment on a pull request: the oldest, where two jobs once raced."""
    mine = await ours(forge, await forge.comments(pull))
    return mine[0] if mine else None


async def ours(forge: Forge, comments: Sequence[Comment]) -> tuple[Comment, ...]:
    """Those that we wrote: a marker alone proves nothing, since anybody can type one."""
    login = (await forge.login()).lower()
    return tuple(c for c in comments if c.author.lower() == login and is_marked(c.body))


async def _create(forge: Forge, pull: int, body: str) -> Comment:
    try:
        return await forge.create_comment(pull, body)
    except ForgeError as error:
        if not error.lost:
            raise
        found = await find(forge, pull)
        return found if found is not None else await forge.create_comment(pull, body)


def _same(there: str, here: str) -> bool:
    """GitHub changes line ends and drops blanks at the end."""
    return there.replace("\r\n", "\n").rstrip() == here.rstrip()

"""A comment that begins with ``/gitune`` to what its author, who may write at that moment, wants done: once."""

from __future__ import annotations

import re
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from controller.engine import commands
from controller.errors import ControllerError
from controller.plan.approval import is_allowance
from controller.plan.grants import is_removal_of, is_run_of, payments, removals
from controller.ports import Opened
from controller.ports.code_host import CodeHost, Pull, Said, Sign
from controller.review.grants import ApplyOrder, Claim, Decided, TakenBefore, write_reviews
from controller.review.trail import History, Origins, moment
from controller.state.identity import NAME
from controller.state.recorded import Record

_LINE = re.compile(r"/gitune(?:[ \t]+([^\r\n]{0,2000}))?(?=\r|\n|$)")
_HELP_MEMORY: Final = '{"v":1,"purpose":"help"}'
HELP: Final = """People who may write to this repository can say, as the first line of a comment:

| say | and Gitune |
|---|---|
| `/gitune plan` | plans this pull request again, at its head as it is now |
| `/gitune apply` | after the merge: applies what this pull request asks for as it is now, reviewed or not |
| `/gitune apply delete:NAME` | the same, and lets the named guards pass (`delete:NAME`, `creates`, `empty`, `behind`) |
| `/gitune cancel NAME` | stops the run of a model that this pull request asked for |
| `/gitune approve-delete NAME` | ends the grace period of a deletion that this pull request asked for |
| `/gitune help` | says this |

Each comment acts once.
"""


@dataclass(frozen=True, slots=True)
class PlanVerb:
    """``/gitune plan``."""


@dataclass(frozen=True, slots=True)
class ApplyVerb:
    """``/gitune apply``, and the guards it lets pass."""

    allow: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CancelVerb:
    """``/gitune cancel NAME``."""

    name: str


@dataclass(frozen=True, slots=True)
class ApproveDeleteVerb:
    """``/gitune approve-delete NAME``."""

    name: str


@dataclass(frozen=True, slots=True)
class HelpVerb:
    """``/gitune help``, or a word nobody knows."""


Verb = PlanVerb | ApplyVerb | CancelVerb | ApproveDeleteVerb | HelpVerb


def parse_verb(body: str) -> Verb | None:
    """What a comment's first line asks for; None where it does not speak to us."""
    found = _LINE.match(body)
    if found is None:
        return None
    match (found[1] or "").split():
        case ["plan"]:
            return PlanVerb()
        case ["apply", *given] if all(map(is_allowance, given)):
            return ApplyVerb(frozenset(given))
        case ["cancel", name] if NAME.fullmatch(name):
            return CancelVerb(name)
        case ["approve-delete", name] if NAME.fullmatch(name):
            return ApproveDeleteVerb(name)
        case _:
            return HelpVerb()


@dataclass(frozen=True, slots=True)
class Spoken:
    """A comment on a pull request as its event told of it, to be held against what stands there now.

    ``at`` is when its text was written last, by the host's own clock (RFC 3339), "" where nobody has asked yet.
    """

    comment: int
    pull: int
    author: str
    body: str = field(repr=False)
    at: str = ""


class Work(Protocol):
    """What a command may set in motion, on the tip of the applied branch."""

    @property
    def branch(self) -> str:
        """The branch that is applied."""
        ...

    @property
    def revision(self) -> str:
        """Its tip."""
        ...

    async def plan(self, pull: Pull) -> None:
        """Plan a pull request at its head, and post it. Raises `ControllerError`."""
        ...

    async def apply(self, order: ApplyOrder) -> bool:
        """Apply on a person's order; whether nothing waits on a person any more. Raises `ControllerError`."""
        ...

    def opened(self) -> AbstractAsyncContextManager[Opened]:
        """Ports at the tip of the applied branch."""
        ...


async def obey(host: CodeHost, spoken: Spoken, work: Work) -> str:
    """Do it, where its author may write, and answer with a sign; returns a sentence on what was done.

    Everything is asked at this moment: a comment that was edited or deleted since, or whose author may write no more,
    does nothing. Raises `ControllerError`.
    """
    verb = parse_verb(spoken.body)
    if verb is None or spoken.author.lower() == (await host.login()).lower():
        return ""
    there = await host.comment(spoken.comment)
    if there is None or there.author != spoken.author or parse_verb(there.body) != verb:
        return "the comment does not say any more what it said: nothing is done"
    if not await host.may_write(spoken.author):
        await host.answer(spoken.comment, Sign.NOT_ALLOWED)
        return "a comment asked for something its author may not ask: nothing is done"
    await host.answer(spoken.comment, Sign.SEEN)
    try:
        well, told = await _do(host, verb, replace(spoken, at=there.updated), work)
    except TakenBefore as error:
        return f"{error.message}: nothing is done"
    except ControllerError:
        await host.answer(spoken.comment, Sign.FAILED)
        raise
    await host.answer(spoken.comment, Sign.DONE if well else Sign.FAILED)
    return told


async def _do(host: CodeHost, verb: Verb, spoken: Spoken, work: Work) -> tuple[bool, str]:
    pull = await host.pull(spoken.pull)
    match verb:
        case HelpVerb():
            await _help(host, pull)
            return True, ""
        case PlanVerb():
            if not pull.is_open:
                raise ControllerError("a closed pull request is not planned", hint="`/gitune apply` after a merge.")
            await work.plan(pull)
            return True, ""
        case ApplyVerb(allow=allow):
            _refuse_what_is_not_merged(pull, work.branch)
            _refuse_what_was_said_early(spoken, pull)
            return await work.apply(ApplyOrder(pull.number, spoken.author, spoken.comment, allow)), ""
        case CancelVerb(name=name):
            _refuse_what_was_said_early(spoken, pull)
            async with work.opened() as opened:
                await _see_it_asked(_Asking(host, opened, work, pull), name)
                await write_reviews(opened, Decided(), Claim(spoken.comment, frozenset({name})))
                model = await commands.cancel(opened.ports, opened.settings, name)
            return True, f"{model} was asked to stop"
        case ApproveDeleteVerb(name=name):
            _refuse_what_was_said_early(spoken, pull)
            async with work.opened() as opened:
                await _see_its_removal_asked(_Asking(host, opened, work, pull), name)
                await write_reviews(opened, Decided(), Claim(spoken.comment, frozenset({name})))
                tombstoned = await commands.approve_delete(opened.ports, name)
            return True, f"the next apply deletes {', '.join(tombstoned)} for good"


def _refuse_what_is_not_merged(pull: Pull, branch: str) -> None:
    if not pull.merged:
        raise ControllerError("an open pull request is not applied", hint="Merge it: what was planned is applied.")
    if pull.base_branch != branch:
        raise ControllerError(
            f"this was merged into {pull.base_branch}, and {branch} is what is applied", hint="Merge that branch on."
        )


def _refuse_what_was_said_early(spoken: Spoken, pull: Pull) -> None:
    """What is said while a pull request is open may be pushed over until its merge: also a job run again is of then."""
    said, merged = moment(spoken.at), moment(pull.merged_at)
    if pull.merged and (said is None or merged is None or said <= merged):
        raise ControllerError("this was said before the merge: it is no order", hint="Say it again in a new comment.")


@dataclass(frozen=True, slots=True)
class _Asking:
    """One pull request, and where to look for what it asked for."""

    host: CodeHost
    opened: Opened
    work: Work
    pull: Pull


async def _see_it_asked(asking: _Asking, name: str) -> None:
    """Raises `ControllerError` where the run that tunes was asked for by another pull request, or by none."""
    record = await _recorded(asking.opened, name)
    pending = record.pending
    if pending is None:
        raise ControllerError(f"{name} has no pending run", hint="`gitune status` shows the runs.")
    run = record.run(pending.model)
    if is_run_of(record, asking.pull.number):
        return
    if payments(record, pending) or run is None or not await _landed(asking, run.revision, record):
        raise _not_its_own(f"the run of {name} that tunes now")


async def _see_its_removal_asked(asking: _Asking, name: str) -> None:
    record = await _recorded(asking.opened, name)
    tombstone_revision = next((slot.tombstone_revision for slot in record.slots if slot.tombstone), "")
    if is_removal_of(record, asking.pull.number):
        return
    if removals(record) or not await _landed(asking, tombstone_revision, record):
        raise _not_its_own(f"the deletion of {name}")


async def _landed(asking: _Asking, revision: str, record: Record) -> bool:
    """Of records that keep no reviews the history tells: whether the pull request changed the spec last before that."""
    if not revision:
        return False
    names = (record.name, *record.former_names)
    steps = await History(asking.opened).steps(revision, names, None)
    if not steps:
        return False
    origins = Origins(asking.host, asking.opened, asking.work.branch, asking.work.revision)
    return any(pull.number == asking.pull.number for pull in await origins.of(steps[0].landing))


def _not_its_own(what: str) -> ControllerError:
    return ControllerError(f"{what} was not asked for by this pull request", hint="Say it on the one that did.")


async def _recorded(opened: Opened, name: str) -> Record:
    return commands.record_of((await opened.ports.ledger.load()).records, name)


async def _help(host: CodeHost, pull: Pull) -> None:
    login = (await host.login()).lower()
    said = [c for c in await host.comments(pull.number) if c.author.lower() == login and c.memory == _HELP_MEMORY]
    if not said:
        await host.create_comment(pull.number, Said(HELP, _HELP_MEMORY))

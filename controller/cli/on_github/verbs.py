"""A comment that begins with ``/gitune`` to what its author, who may write, wants done."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from controller.cli.codes import Code
from controller.cli.on_github import outputs
from controller.cli.on_github.applying import Order, apply_now
from controller.cli.on_github.inputs import Inputs
from controller.cli.on_github.planning import Reviewed, place_of, plan_for, report, show
from controller.cli.on_github.sticky import find
from controller.cli.options import Asked
from controller.cli.progress import Quiet
from controller.engine import acts
from controller.errors import ControllerError
from controller.forge.event import Said
from controller.plan.safety import is_allowance
from controller.ports import Forge
from controller.report.marker import Marker, read
from controller.state.identity import NAME
from controller.state.review import Pull, Reaction
from controller.wiring import open_ports

_LINE = re.compile(r"/gitune(?:[ \t]+([^\r\n]{0,2000}))?(?=\r|\n|$)")
_HELP_MARK = '<!-- gitune: {"v":1,"purpose":"help"} -->'
HELP = f"""{_HELP_MARK}
People who may write to this repository can say, as the first line of a comment:

| say | and Gitune |
|---|---|
| `/gitune plan` | plans this pull request again, at its head as it is now |
| `/gitune apply` | after the merge: applies what is asked for as it is now, in place of what was reviewed |
| `/gitune apply delete:NAME` | the same, and lets the named guards pass (`delete:NAME`, `creates`, `empty`, `behind`) |
| `/gitune cancel NAME` | stops the run of a model of this pull request |
| `/gitune approve-delete NAME` | ends the grace period of a deletion of this pull request |
| `/gitune help` | says this |
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """``/gitune plan``."""


@dataclass(frozen=True, slots=True)
class Apply:
    """``/gitune apply``, and the guards it lets pass."""

    allow: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Cancel:
    """``/gitune cancel NAME``."""

    name: str


@dataclass(frozen=True, slots=True)
class ApproveDelete:
    """``/gitune approve-delete NAME``."""

    name: str


@dataclass(frozen=True, slots=True)
class Help:
    """``/gitune help``, or a word nobody knows."""


Verb = Plan | Apply | Cancel | ApproveDelete | Help


def parse_verb(body: str) -> Verb | None:
    """What a comment's first line asks for; None where it does not speak to us."""
    found = _LINE.match(body)
    if found is None:
        return None
    match (found[1] or "").split():
        case ["plan"]:
            return Plan()
        case ["apply", *given] if all(map(is_allowance, given)):
            return Apply(frozenset(given))
        case ["cancel", name] if NAME.fullmatch(name):
            return Cancel(name)
        case ["approve-delete", name] if NAME.fullmatch(name):
            return ApproveDelete(name)
        case _:
            return Help()


async def obey(asked: Asked, inputs: Inputs, event: Said, forge: Forge) -> int:
    """Do it, where its author may, and answer with a sign. Our own comments and those of bots are not listened to."""
    verb = parse_verb(event.body)
    mine = event.author.lower() == (await forge.login()).lower()
    if verb is None or not event.created or event.by_bot or mine:
        return Code.WELL
    if not await forge.may_write(event.author):
        await forge.react(event.comment, Reaction.CONFUSED)
        outputs.notice("a comment asked for something its author may not ask: nothing is done")
        return Code.WELL
    await forge.react(event.comment, Reaction.SEEN)
    try:
        code = await _do(asked, inputs, _Given(verb, event.pull), forge)
    except ControllerError:
        await forge.react(event.comment, Reaction.FAILED)
        raise
    await forge.react(event.comment, Reaction.DONE if code == Code.WELL else Reaction.FAILED)
    return code


@dataclass(frozen=True, slots=True)
class _Given:
    verb: Verb
    pull: int


async def _do(asked: Asked, inputs: Inputs, given: _Given, forge: Forge) -> int:
    pull = await forge.pull(given.pull)
    match given.verb:
        case Help():
            return await _help(forge, given.pull)
        case Plan():
            return await _plan(asked, inputs, pull, forge)
        case Apply(allow=allow):
            if not pull.merged:
                raise ControllerError(
                    "an open pull request is not applied", hint="Merge it: what was reviewed is applied."
                )
            await _remembered(forge, pull)
            return await apply_now(asked, inputs, forge, Order(allow, approved=pull.number))
        case Cancel(name=name):
            await _belongs(forge, pull, name)
            async with open_ports(place_of(asked, inputs.sha or None), Quiet()) as opened:
                model = await acts.cancel(opened.ports, opened.settings, name)
            outputs.notice(f"{model} was asked to stop")
            return Code.WELL
        case ApproveDelete(name=name):
            await _belongs(forge, pull, name)
            async with open_ports(place_of(asked, inputs.sha or None), Quiet()) as opened:
                doomed = await acts.approve_delete(opened.ports, name)
            outputs.notice(f"the next apply deletes {', '.join(doomed)} for good")
            return Code.WELL


async def _plan(asked: Asked, inputs: Inputs, pull: Pull, forge: Forge) -> int:
    if not pull.is_open:
        raise ControllerError("a closed pull request is not planned", hint="Open another one.")
    base = inputs.sha or pull.base
    planned = await plan_for(asked, inputs, Reviewed(pull.head, base, pull.head))
    now = await forge.pull(pull.number)
    if now.head != pull.head:
        raise ControllerError("the pull request was pushed to meanwhile", hint="Say /gitune plan again.")
    await show(forge, pull.number, planned)
    await report(replace(inputs, fail_on=None), planned)
    return Code.WELL


async def _help(forge: Forge, pull: int) -> int:
    login = (await forge.login()).lower()
    said = [c for c in await forge.comments(pull) if c.author.lower() == login and c.body.startswith(_HELP_MARK)]
    if not said:
        await forge.create_comment(pull, HELP)
    return Code.WELL


async def _remembered(forge: Forge, pull: Pull) -> Marker:
    """What the plan comment remembers, where it speaks of the head as it is. Raises `ControllerError`."""
    comment = await find(forge, pull.number)
    marker = read(comment.body) if comment else None
    if marker is None or marker.head != pull.head:
        raise ControllerError(
            "there is no plan of this pull request's head",
            hint="Say /gitune plan, or push again, and look at it first.",
        )
    return marker


async def _belongs(forge: Forge, pull: Pull, name: str) -> None:
    marker = await _remembered(forge, pull)
    if name not in {stamp.name for stamp in marker.stamps or ()}:
        raise ControllerError(f"{name} is not in the plan of this pull request", hint="Say it where it was planned.")

"""What is committed to what was done about it, shown while it happens and summed up at the end."""

from __future__ import annotations

import asyncio
import difflib
import getpass
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.text import Text

from controller.cli.exit_codes import ExitCode, error_json, error_text, of_pass
from controller.cli.options import GlobalOptions
from controller.cli.output import Screen, begin
from controller.cli.progress import following
from controller.cli.uncommitted import compared, datasets
from controller.daemon.reporter import LogReporter
from controller.engine.reconcile import Approval, Pass, Refused, follow, going_on, reconcile
from controller.errors import ControllerError, RevisionConflict
from controller.plan.actions import Done, Hold, Nothing, Outcome, Tune, Wait
from controller.plan.approval import ALLOW_DELETE, ALLOW_REVIEW, ALLOW_WORDS, is_allowance, is_review_allowance
from controller.plan.world import World
from controller.ports import Opened, Reporter
from controller.report.formatting import listed, terminal
from controller.report.render_plan import (
    applied_json,
    applied_markdown,
    applied_text,
    as_json,
    people_text,
    plan_markdown,
    plan_text,
    waiting_on_people,
)
from controller.report.render_problems import unreadable
from controller.state.identity import NAME
from controller.wiring import Where, on_disk, open_ports, read_settings, source_of

_DIGEST: Final = re.compile("[0-9a-f]{64}")
_SHOWN = 80  # characters of a wrong word


@dataclass(frozen=True, slots=True)
class ApplyOptions:
    """What `gitune apply` was asked for."""

    wait: bool = False
    digest: str | None = None
    allow: Sequence[str] | None = None
    worktree: bool = False


def check(options: ApplyOptions) -> None:
    """Raises `ControllerError` for a word that no guard has, and for a digest that no plan can have."""
    for word in sorted(set(options.allow or ())):
        if not is_allowance(word) and not is_review_allowance(word):
            message = f"--allow {word[:_SHOWN]!r} is no word that a guard has"
            known = f"{', '.join(ALLOW_WORDS)}, {ALLOW_DELETE}NAME and {ALLOW_REVIEW}NAME"
            raise ControllerError(message, hint=f"{_meant(word)}The words are {known}.")
    if options.digest is not None and not _DIGEST.fullmatch(options.digest):
        message = f"--plan-digest {options.digest[:_SHOWN]!r} is no digest of a plan: that has 64 digits, 0-9 and a-f"
        raise ControllerError(message, hint="`gitune plan` ends with the digest of its plan: give all of it.")


def _meant(word: str) -> str:
    """The word that was most likely meant, as a question; "" where nothing comes near."""
    before, colon, name = word.partition(":")
    if close := difflib.get_close_matches(before.lower(), [*ALLOW_WORDS, "delete", "review"], 1):
        found = close[0] if close[0] in ALLOW_WORDS else f"{close[0]}:{name or 'NAME'}"
        return f"Did you mean {found}? " if found != word else ""
    return f"Did you mean {ALLOW_DELETE}{word}? " if not colon and NAME.fullmatch(word) else ""


# A lost race for the ledger is read and decided again; with more rivals than this something else is wrong.
_RACES = 5
# Seconds between two looks at runs: a server of one's own may be asked often, a service within its quota.
_OFTEN, _SELDOM = 1.0, 10.0


def apply(asked: GlobalOptions, options: ApplyOptions) -> int:
    """Carry it out and tell; the exit code is that of the last pass."""
    screen = begin(asked)
    check(options)
    try:
        if options.wait:
            with following(screen) as telling:
                done, before = asyncio.run(_whole(asked, options, telling))
        else:
            with screen.waiting("one pass over specs, ledger and providers"):
                done, before = asyncio.run(_whole(asked, options, LogReporter()))
    except Refused as refusal:
        return _show_refusal(screen, refusal)
    screen.show(
        text=lambda _: applied_text(done.plan, done.outcomes, before),
        json=lambda: applied_json(done.plan, done.outcomes, done.records),
        markdown=lambda: applied_markdown(done.plan, (*before, *done.outcomes)),
    )
    _tell_what_is_left(screen, done.world, done)
    if not options.worktree and (told := asyncio.run(_left_on_disk(asked, done.world))):
        screen.note(told)
    return of_pass(done.world, done.outcomes)


async def _whole(asked: GlobalOptions, options: ApplyOptions, telling: Reporter) -> tuple[Pass, tuple[Outcome, ...]]:
    """The last pass, and what those before it did: a cancel that is asked for again is one."""
    last: Pass | None = None
    before: dict[tuple[str, str, str], Outcome] = {}
    async with open_ports(Where(asked.folder, asked.config, worktree=options.worktree), telling) as opened:
        async for done in _passes(opened, options):
            before |= _did(last) if last is not None else {}
            last = done
    if last is None:
        raise AssertionError("a pass ends in a result or in an error")
    return last, tuple(outcome for which, outcome in before.items() if which not in _did(last))


async def _left_on_disk(asked: GlobalOptions, world: World) -> str:
    """How the files on disk differ from the commit that was applied; "" where they do not."""
    working = None
    try:
        where = on_disk(asked.folder, asked.config)
        if not where.worktree:
            return ""
        working = source_of(where)
        tree = await working.tree()
        settings = read_settings(where, tree)
        files = await compared(asked, tree, settings.specs, datasets(world.desired.models))
    except ControllerError:
        return ""  # what cannot be read on disk is for validate to say
    finally:
        if working is not None:
            await working.close()
    return files.left_out


def _did(done: Pass) -> dict[tuple[str, str, str], Outcome]:
    """What a pass carried out, by name, word and remote model."""
    idle = Nothing | Wait | Hold
    carried_out = [o for o in done.outcomes if isinstance(o, Done) and not isinstance(o.action, idle)]
    return {(o.action.name, o.action.word, o.action.model): o for o in carried_out}


def _who() -> str:
    """Who allows, for the record: the user of this machine, "" where it has no name."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


async def _passes(opened: Opened, options: ApplyOptions) -> AsyncIterator[Pass]:
    approval = Approval(options.digest, frozenset(options.allow or ()), by=_who())
    for race in range(_RACES):
        try:
            if not options.wait:
                yield await reconcile(opened.ports, opened.settings, approval)
                return
            free = all(provider.facts.free for provider in opened.ports.providers.values())
            async for done in follow(opened.ports, opened.settings, approval, _OFTEN if free else _SELDOM):
                approval = going_on(approval, done)
                yield done
        except RevisionConflict:
            if race == _RACES - 1:
                raise
        else:
            return


def _show_refusal(screen: Screen, refusal: Refused) -> int:
    """A refused plan is shown all the same, then why it was refused."""
    plan = refusal.preview.plan
    screen.show(
        text=lambda _: plan_text(plan),
        json=lambda: {**as_json(plan), "error": error_json(refusal, "UnsafePlan")},
        markdown=lambda: plan_markdown(plan),
    )
    screen.tell(error_text(refusal))
    return ExitCode.HOLDS


def _tell_what_is_left(screen: Screen, world: World, done: Pass) -> None:
    if broken := unreadable(world):
        screen.fail(listed(broken))
    for problem in world.desired.errors[:10]:
        screen.tell(Text(f"  {terminal(str(problem))}"))
    if names := waiting_on_people(done.outcomes):
        screen.tell(Text(people_text(names), "yellow"))
    if any(isinstance(o, Done) and isinstance(o.action, Tune | Wait) for o in done.outcomes):
        screen.note(
            "runs go on tuning: `gitune apply --wait` follows them to their end; `gitune status` shows them "
            "as this pass saw them, until another `gitune apply`, or `gitune run`, looks again"
        )

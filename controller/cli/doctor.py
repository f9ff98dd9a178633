"""A set-up to what is well with it, and to the fix of what is not."""

from __future__ import annotations

import asyncio
import platform
import sys

from controller import __version__
from controller.cli import logs
from controller.cli.exit_codes import ExitCode
from controller.cli.options import GlobalOptions
from controller.cli.output import Screen, Views
from controller.daemon.reporter import LogReporter
from controller.engine.desire import read_desired
from controller.errors import ControllerError
from controller.ledger.opening import check_writable, described
from controller.ports import Finding, Opened
from controller.report.formatting import counted
from controller.report.render_problems import counts, findings_json, findings_markdown, findings_table
from controller.wiring import Where, open_ports


def doctor(asked: GlobalOptions) -> int:
    """Show every check; exit 1 where one fails."""
    logs.configure(asked)
    screen = Screen(asked)
    with screen.waiting("looking at git, the ledger and the providers"):
        found = asyncio.run(_findings(asked))
    screen.show(Views(lambda _: findings_table(found), lambda: findings_json(found), lambda: findings_markdown(found)))
    return ExitCode.WELL if all(finding.well for finding in found) else ExitCode.FAILED


async def _findings(asked: GlobalOptions) -> tuple[Finding, ...]:
    python = f"Gitune {__version__} on Python {platform.python_version()}, {sys.platform}"
    first = Finding("gitune", well=True, message=python)
    try:
        async with open_ports(Where(asked.folder, asked.config), LogReporter()) as opened:
            checks = (_repository(opened), _ledger(opened), _providers(opened))
            return (first, *[finding for check in checks for finding in await check])
    except ControllerError as error:
        return (first, _failed("repository", error))


async def _repository(opened: Opened) -> tuple[Finding, ...]:
    try:
        tree = await opened.ports.source.tree()
        can = {key: provider.capabilities for key, provider in opened.ports.providers.items()}
        desired = await read_desired(tree, opened.settings, can)
    except ControllerError as error:
        return (_failed("repository", error),)
    commit = f"commit {tree.revision}" if tree.revision else "the files on disk"
    whole = f"{commit}, known to providers as {opened.ports.instance}"
    specs = f"{counted(len(desired.names), 'name')}, {counts(desired.problems)}"
    fix = "gitune validate shows every problem" if desired.errors else ""
    return (Finding("repository", well=True, message=whole), Finding("specs", not desired.errors, specs, fix))


async def _ledger(opened: Opened) -> tuple[Finding, ...]:
    try:
        recorded = await opened.ports.ledger.load()
        await check_writable(opened.ports.ledger)
    except ControllerError as error:
        return (_failed("ledger", error),)
    where = described(opened.ports.ledger, opened.settings.ledger)
    state = f"{counted(len(recorded.records), 'model')} recorded" if recorded.records else "nothing recorded yet"
    return (Finding("ledger", well=True, message=f"{where}: {state}"),)


async def _providers(opened: Opened) -> tuple[Finding, ...]:
    found: list[Finding] = []
    for key, provider in opened.ports.providers.items():
        try:
            found.extend(await provider.check())
        except ControllerError as error:
            found.append(_failed(f"provider {key}", error))
    return tuple(found)


def _failed(subject: str, error: ControllerError) -> Finding:
    return Finding(subject, well=False, message=error.message, fix=error.hint)

"""A set-up to what is well with it, and to the fix of what is not."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

from controller import __version__
from controller.cli.exit_codes import ExitCode
from controller.cli.options import GlobalOptions
from controller.cli.output import begin
from controller.cli.schema import stale
from controller.engine.desire import desired_of
from controller.errors import ControllerError
from controller.ledger.opening import described
from controller.network import described as described_network
from controller.ports import CheckResult, Opened
from controller.report.formatting import counted
from controller.report.render_problems import checks_json, checks_markdown, checks_table, counts
from controller.source.tree import has_files, top_of
from controller.wiring import Where, open_data, open_ports


def doctor(asked: GlobalOptions) -> int:
    """Show every check; exit 1 where one fails."""
    screen = begin(asked)
    with screen.waiting("looking at git, the ledger and the providers"):
        found = asyncio.run(_results(asked))
    screen.show(lambda _: checks_table(found), lambda: checks_json(found), lambda: checks_markdown(found))
    return ExitCode.WELL if all(finding.well for finding in found) else ExitCode.FAILED


async def _results(asked: GlobalOptions) -> tuple[CheckResult, ...]:
    python = f"Gitune {__version__} on Python {platform.python_version()}, {sys.platform}"
    found = [CheckResult("gitune", well=True, message=python), *_network(), *_data_sources(asked)]
    try:
        async with open_ports(Where(asked.folder, asked.config)) as opened:
            checks: dict[str, Callable[[], Awaitable[Iterable[CheckResult]]]] = {
                "repository": partial(_repository, opened),
                "schemas": partial(_schemas, asked),
                "ledger": partial(_ledger, opened),
                **{f"provider {key}": provider.check for key, provider in opened.ports.providers.items()},
            }
            for subject, check in checks.items():
                try:
                    found.extend(await check())
                except ControllerError as error:
                    found.append(_failed(subject, error))
    except ControllerError as error:
        found.append(_failed("repository", error))
    return tuple(found)


def _network() -> tuple[CheckResult, ...]:
    """What the environment says of proxies and certificates; nothing where it says nothing."""
    try:
        said = described_network(os.environ)
    except ControllerError as error:
        return (_failed("network", error),)
    return (CheckResult("network", well=True, message=said),) if said else ()


def _data_sources(asked: GlobalOptions) -> tuple[CheckResult, ...]:
    """Where data may be read from by ``uri``; nothing where the environment lists nothing."""
    try:
        sources = open_data(Where(asked.folder)).sources
    except ControllerError as error:
        return (_failed("data", error),)
    listed_there = ", ".join(prefix.root for prefix in sources.prefixes)
    told = f"specs may read data from {listed_there}"
    return (CheckResult("data", well=True, message=told),) if listed_there else ()


async def _repository(opened: Opened) -> tuple[CheckResult, ...]:
    tree = await opened.ports.source.tree()
    desired = await desired_of(opened.ports, tree, opened.settings)
    commit = f"commit {tree.revision}" if tree.revision else "the files on disk"
    whole = f"{commit}, known to providers as {opened.ports.instance}"
    specs = f"{counted(desired.count, 'spec')}, {counts(desired.problems)}"
    fix = "gitune validate shows every problem" if desired.errors else ""
    return (CheckResult("repository", well=True, message=whole), CheckResult("specs", not desired.errors, specs, fix))


async def _schemas(asked: GlobalOptions) -> tuple[CheckResult, ...]:
    """A copy of another release misleads an editor and nothing else, so it fails no check."""
    old = stale(top_of(asked.folder)) if has_files(asked.folder) else []
    told = f"{', '.join(old)} {'is' if len(old) == 1 else 'are'} of another release: run `gitune schema --refresh`"
    return (CheckResult("schemas", well=True, message=told),) if old else ()


async def _ledger(opened: Opened) -> tuple[CheckResult, ...]:
    recorded = await opened.ports.ledger.load()
    await opened.ports.ledger.check()
    where = described(opened.ports.ledger, opened.settings.ledger)
    state = f"{counted(len(recorded.records), 'model')} recorded" if recorded.records else "nothing recorded yet"
    return (CheckResult("ledger", well=True, message=f"{where}: {state}"),)


def _failed(subject: str, error: ControllerError) -> CheckResult:
    return CheckResult(subject, well=False, message=error.message, fix=error.hint)

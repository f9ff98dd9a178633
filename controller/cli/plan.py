"""Files, ledger and providers to the plan that apply would carry out, shown and not carried out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from rich.text import Text

from controller.cli.exit_codes import of_plan
from controller.cli.options import GlobalOptions
from controller.cli.output import Screen, begin
from controller.cli.uncommitted import Against, Compared, compared, datasets
from controller.engine.reconcile import Preview, preview, preview_offline
from controller.errors import ControllerError
from controller.plan.approval import only_new
from controller.plan.planner import explained
from controller.report.formatting import listed, terminal
from controller.report.render_plan import as_json, explanation_json, explanation_text, plan_markdown, plan_text
from controller.report.render_problems import counts, unreadable
from controller.wiring import Where, on_disk, open_ports, source_of


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What `gitune plan` was asked."""

    detailed: bool = False
    base: str | None = None
    offline: bool = False
    explain: str | None = None


def plan(asked: GlobalOptions, options: PlanOptions) -> int:
    """Show the plan; the exit code says whether it could be made whole and, if asked, whether it changes anything."""
    screen = begin(asked)
    with screen.waiting("looking at the specs, the ledger and the providers"):
        shown, files = asyncio.run(_look(asked, options))
    made = shown.plan
    if options.explain is not None:
        why = explained(options.explain, shown.world)
        if not why.tried:
            raise ControllerError(
                f"no spec and no record is named {options.explain}",
                hint="`gitune plan` and `gitune status` list the names.",
            )
        screen.show(lambda _: explanation_text(why), lambda: explanation_json(why))
    else:
        screen.show(lambda _: plan_text(made), lambda: as_json(made), lambda: plan_markdown(made))
    _remark(screen, shown, files, options)
    return of_plan(shown.world, made, detailed=options.detailed)


async def _look(asked: GlobalOptions, options: PlanOptions) -> tuple[Preview, Compared]:
    # With a base the ports are those of its own gitune.yaml: a change must not choose the providers it is judged with.
    here = on_disk(asked.folder, asked.config)
    where = here if options.base is None else Where(asked.folder, asked.config, revision=options.base)
    async with open_ports(where) as opened:
        ask = preview_offline if options.offline else preview
        working = source_of(here)
        try:
            shown = await ask(replace(opened.ports, source=working), opened.settings)
            if options.base is not None:
                base = await ask(opened.ports, opened.settings, options.base)
                shown = replace(shown, plan=only_new(shown.plan, base.plan))
            rests_on = datasets(shown.world.desired.models)
            return shown, await compared(asked, await working.tree(), opened.settings.specs, rests_on)
        finally:
            await working.close()


def _remark(screen: Screen, shown: Preview, files: Compared, options: PlanOptions) -> None:
    """What a reader has to know beside the plan, on stderr."""
    match files.against:
        case Against.NO_GIT:
            screen.note("there is no git here: apply acts on these files as they are, on providers that cost nothing")
        case Against.NO_COMMIT:
            screen.note("this is the plan of the files on disk: apply acts on commits, and there is none")
        case Against.HEAD:
            if told := files.sentence("this is the plan of"):
                screen.note(told)
    if not shown.plan.actions and not shown.world.desired.problems:
        screen.note("nothing is declared: no file here is a spec; `gitune init` writes a first one")
    if options.offline:
        screen.note("no provider was asked: what the ledger says is taken for what they have")
    if options.base is not None and options.explain is None:
        screen.note(f"what the plan of {options.base} holds too is left out; the digest is that of the whole plan")
    if found := shown.world.desired.problems:
        screen.note(f"{counts(found)}: `gitune validate` shows {'it' if len(found) == 1 else 'them'}")
    if broken := unreadable(shown.world):
        screen.fail(listed(broken))
        _hints(screen, shown)


def _hints(screen: Screen, shown: Preview) -> None:
    for key, seen in shown.world.observed.providers.items():
        if seen.error:
            screen.tell(Text(terminal(f"  {key}: {seen.error}")))
        if seen.error and seen.hint:
            screen.tell(Text.assemble(("  hint: ", "bold cyan"), terminal(seen.hint)))

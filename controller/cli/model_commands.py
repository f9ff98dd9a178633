"""The commands of one model that need a person to calls of the engine, and what came of them to words."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

from rich.text import Text

from controller.cli.exit_codes import ExitCode
from controller.cli.options import GlobalOptions, Rows
from controller.cli.output import Screen, configure
from controller.engine import commands
from controller.errors import ControllerError
from controller.plan.evaluation import told
from controller.ports import Opened
from controller.report.formatting import cell, code, fields_of, percent, terminal
from controller.report.render_status import score_json
from controller.wiring import Where, open_ports

T = TypeVar("T")

_ANSWER_LINE = 100_000  # characters shown of one line of an answer


def evaluate(asked: GlobalOptions, name: str, rows: Rows) -> int:
    """Score the newest finished run and show how many rows it got right."""
    with Screen(asked).waiting(f"asking the {rows} rows"):
        score = _done(asked, lambda o: commands.evaluate(o.ports, o.settings, name, rows.value))
    shown = f"{percent(score.value)}: {told(score)}"
    return _show(asked, f"{name}: {score.metric} {shown}", {"name": name, "rows": rows, "score": score_json(score)})


def promote(asked: GlobalOptions, name: str) -> int:
    """Make the finished pending run the active one."""
    return _serving(asked, _done(asked, lambda o: commands.promote(o.ports, o.settings, name)))


def resolve(asked: GlobalOptions, name: str) -> int:
    """Show what callers use."""
    return _serving(asked, _done(asked, lambda o: commands.resolve(o.ports, name)))


def adopt(asked: GlobalOptions, name: str, model: str) -> int:
    """Take a remote model under a name."""
    return _serving(asked, _done(asked, lambda o: commands.adopt(o.ports, o.settings, name, model)))


def cancel(asked: GlobalOptions, name: str) -> int:
    """Stop the pending run."""
    model = _done(asked, lambda o: commands.cancel(o.ports, o.settings, name))
    return _show(asked, f"{name}: {model} was asked to stop", {"name": name, "model": model})


def approve_delete(asked: GlobalOptions, name: str) -> int:
    """End the grace period of a deletion."""
    models = _done(asked, lambda o: commands.approve_delete(o.ports, name))
    sentence = f"{name}: the next apply deletes {', '.join(models)} for good"
    return _show(asked, sentence, {"name": name, "models": list(models)})


def forget(asked: GlobalOptions, name: str, *, intent: bool) -> int:
    """Drop a name, or only its open intent, from the ledger."""
    if intent:
        _done(asked, lambda o: commands.forget_intent(o.ports, name))
        return _show(asked, f"{name}: its open intent is forgotten", {"name": name, "forgotten": "intent"})
    _done(asked, lambda o: commands.forget(o.ports, o.settings, name))
    return _show(asked, f"{name} is forgotten; its remote models stay", {"name": name, "forgotten": "record"})


def generate(asked: GlobalOptions, name: str, prompt: str, *, system: str | None, json_mode: bool) -> int:
    """Show one answer, line for line, and say where it is not whole.

    Raises `ControllerError` for what people try and a tuned model cannot do.
    """
    if system is not None:
        hint = "Put it into spec.dataset.prefix: it is then learned, and sent before every input."
        raise ControllerError("a tuned model takes no system instruction", hint=hint)
    if json_mode:
        hint = "Train on outputs that are JSON, and parse the answer."
        raise ControllerError("a tuned model has no JSON mode", hint=hint)
    given = _from_stdin() if prompt == "-" else prompt
    with Screen(asked).waiting("asking the model"):
        answer = _done(asked, lambda o: commands.generate(o.ports, name, given))
    lines = answer.text.splitlines() or [""]
    if not answer.text.strip():
        Screen(asked).note("the answer is empty: the model was taught to say nothing to this, or learned too little")
    if answer.cut:
        Screen(asked).note(f"the answer is cut: the model stopped before its end ({answer.cut})")
    Screen(asked).show(
        text=lambda _: Text("\n").join([Text(terminal(line, _ANSWER_LINE)) for line in lines]),
        json=lambda: {"schemaVersion": 1, "name": name, "answer": answer.text, "cut": answer.cut},
        markdown=lambda: "".join(f"{code(line, _ANSWER_LINE)}\n" for line in lines),
    )
    return ExitCode.WELL


def _from_stdin() -> str:
    try:
        return sys.stdin.buffer.read().decode("utf-8").removesuffix("\n")
    except UnicodeDecodeError as error:
        message = f"stdin is not UTF-8 text (byte {error.start})"
        raise ControllerError(message, hint="A tuned model takes text and nothing else.") from error


def _done(asked: GlobalOptions, act: Callable[[Opened], Awaitable[T]]) -> T:
    async def whole() -> T:
        async with open_ports(Where(asked.folder, asked.config)) as opened:
            return await act(opened)

    configure(asked)
    return asyncio.run(whole())


def _show(asked: GlobalOptions, sentence: str, facts: dict[str, object]) -> int:
    Screen(asked).show(
        text=lambda _: Text(terminal(sentence)),
        json=lambda: {"schemaVersion": 1, **facts},
        markdown=lambda: f"{code(sentence)}\n",
    )
    return ExitCode.WELL


def _serving(asked: GlobalOptions, serving: commands.Serving) -> int:
    facts = fields_of(serving, "name", "provider", "model", "fingerprint", "attempt", "prefix")
    Screen(asked).show(
        text=lambda _: _facts(facts),
        json=lambda: {"schemaVersion": 1, **facts},
        markdown=lambda: "".join(["| | |\n|---|---|\n", *(f"| {k} | {cell(str(v))} |\n" for k, v in facts.items())]),
    )
    return ExitCode.WELL


def _facts(facts: dict[str, object]) -> Text:
    shown = {**facts, "prefix": f'"{facts["prefix"]}"'}
    lines = [Text.assemble((f"{key:<12}", "dim"), terminal(str(value))) for key, value in shown.items()]
    return Text("\n").join(lines)

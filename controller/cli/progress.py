"""What a pass tells while it works to progress bars, plain lines or log events on stderr."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from controller.cli.options import Format
from controller.cli.output import Screen
from controller.daemon.reporter import LogReporter
from controller.plan.actions import Done, Outcome
from controller.report.formatting import duration, figure, terminal
from controller.report.render_plan import outcome_text
from controller.rest import redact
from controller.state.observed import RemoteModel, RemoteState


class Lines(LogReporter):
    """A line an action, and one a tenth of each run: for files, pipes and CI logs."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._tenths: dict[str, int] = {}

    def ended(self, outcome: Outcome) -> None:
        """Say what became of it, where that is news."""
        super().ended(outcome)
        if _is_news(outcome):
            self._screen.tell(outcome_text(outcome))

    def observed(self, model: RemoteModel) -> None:
        """Say each tenth once."""
        super().observed(model)
        tenth = int(model.progress.share * 10)
        if model.state is RemoteState.CREATING and self._tenths.get(model.name) == tenth:
            return
        if self._tenths.get(model.name) != -1:
            self._screen.tell(Text(progress_line(model)))
        self._tenths[model.name] = tenth if model.state is RemoteState.CREATING else -1


class Bars(LogReporter):
    """A bar a run, with steps, loss and the time that is left."""

    def __init__(self, screen: Screen) -> None:
        self.drawn = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[said]}", markup=False),
            Remaining(),
            console=screen.err,
            expand=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._screen = screen

    def ended(self, outcome: Outcome) -> None:
        """Print what became of it above the bars."""
        super().ended(outcome)
        if _is_news(outcome):
            line = outcome_text(outcome)
            line.plain = redact(line.plain)
            self.drawn.console.print(line)

    def observed(self, model: RemoteModel) -> None:
        """Move its bar."""
        super().observed(model)
        task = self._tasks.get(model.name)
        if task is None:
            label = terminal(model.name.rpartition("/")[2], 40)
            task = self._tasks[model.name] = self.drawn.add_task(label, total=None, said="")
        tunes, done = model.state is RemoteState.CREATING, model.progress.completed_steps
        total = model.progress.total_steps or (
            None if tunes else max(done, 1)
        )  # a bar without an end would go on moving
        said = progress_words(model) if tunes else f"{model.state}, {progress_words(model)}"
        self.drawn.update(task, completed=done if tunes or done else total, total=total, said=said)


class Remaining(ProgressColumn):
    """The time that is left, at the pace so far."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        """``3 min 05 s left``; nothing while unknown, and nothing at the end."""
        left = task.time_remaining
        if left is None or task.finished:
            return Text("")
        return Text(f"{duration(left)} left", "cyan")


@contextmanager
def following(screen: Screen) -> Iterator[LogReporter]:
    """The way to tell of runs that fits the format and the terminal."""
    if screen.format is not Format.TEXT:
        yield LogReporter()
    elif screen.err.is_terminal:
        bars = Bars(screen)
        with bars.drawn:  # leaves the last picture, and the cursor below it
            yield bars
    else:
        yield Lines(screen)


def _is_news(outcome: Outcome) -> bool:
    """Whether it did something. What is held is told once, when all is over."""
    return isinstance(outcome, Done) and outcome.action.acts


def progress_words(model: RemoteModel) -> str:
    """``56/140 steps, loss 0.449``."""
    total = f"/{model.progress.total_steps:,}" if model.progress.total_steps else ""
    steps = f"{model.progress.completed_steps:,}{total} steps"
    return f"{steps}, loss {figure(model.losses[-1].mean_loss)}" if model.losses else steps


def progress_line(model: RemoteModel) -> str:
    """``jobs/7: 40 %, 56/140 steps, loss 0.449``."""
    if model.state is not RemoteState.CREATING:
        return f"{terminal(model.name)}: {model.state}, {progress_words(model)}"
    return f"{terminal(model.name)}: {int(model.progress.share * 100)} %, {progress_words(model)}"

"""What was typed of the options that every command has, as one value, and the words that options choose between.

`controller.cli.app` says how each is typed; its name there is the name of the field here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from pathlib import Path


class Format(StrEnum):
    """How results are written."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


class LogFormat(StrEnum):
    """How log lines on stderr are written."""

    CONSOLE = "console"
    JSON = "json"


class ModelsAct(StrEnum):
    """What is done with the base models of the embedded server."""

    LIST = "list"
    PULL = "pull"


class Rows(StrEnum):
    """Which rows of a spec a run is asked."""

    EVALUATION = "evaluation"
    TRAINING = "training"


class DataAct(StrEnum):
    """What is done with a dataset file."""

    INSPECT = "inspect"


class SchemaName(StrEnum):
    """What kind of file a schema is of."""

    TUNED_MODEL = "tunedmodel"
    CONTROLLER = "controller"
    DAEMON = "daemon"


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """What the options that every command has say; None where they were not given."""

    root: Path | None = None
    config: Path | None = None
    output: Format | None = None
    log_format: LogFormat | None = None
    no_color: bool | None = None
    verbose: bool | None = None
    debug: bool | None = None

    @property
    def folder(self) -> Path:
        """The repository: ``--root``, else the working directory."""
        return self.root or Path.cwd()

    @property
    def format(self) -> Format:
        """``--output``, else text."""
        return self.output or Format.TEXT

    @property
    def colorless(self) -> bool:
        """Whether ``--no-color`` or a NO_COLOR that is not empty (https://no-color.org) asks for plain text."""
        return bool(self.no_color) or bool(os.environ.get("NO_COLOR"))

    def over(self, earlier: GlobalOptions) -> GlobalOptions:
        """These options where they were given, else the earlier ones."""
        said = {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}
        return replace(earlier, **said)

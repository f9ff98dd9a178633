"""A line that is being typed in a shell to what it may go on with, and the script by which the shell asks."""

from __future__ import annotations

from pathlib import Path

from controller.cli.app import COMMANDS, PROGRAM
from controller.cli.grammar import Command, Option
from controller.cli.help_page import summary
from controller.errors import ControllerError

TYPE_CHECKING = False  # as in the grammar
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_SCRIPTS = {
    "bash": """\
_gitune_completion() {
    local IFS=$'\\n'
    COMPREPLY=( $( env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" _GITUNE_COMPLETE=complete_bash "$1" ) )
}
complete -o default -F _gitune_completion gitune
""",
    "zsh": """\
#compdef gitune
_gitune_completion() {
    eval "$(env _GITUNE_LINE="${words[1,$CURRENT]}" _GITUNE_COMPLETE=complete_zsh gitune)"
}
compdef _gitune_completion gitune
""",
    "fish": """\
function __gitune_completion
    env _GITUNE_LINE=(commandline -cp) _GITUNE_COMPLETE=complete_fish gitune
end
complete --command gitune --no-files --condition "__gitune_completion | string length -q" \\
    --arguments "(__gitune_completion)"
""",
    "powershell": """\
Register-ArgumentCompleter -Native -CommandName gitune -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $Env:_GITUNE_COMPLETE = "complete_powershell"
    $Env:_GITUNE_LINE = $commandAst.ToString() + $(if ($wordToComplete) { "" } else { " " })
    gitune | ForEach-Object {
        $value, $help = $_ -Split "`t", 2
        $shown = if ($help) { $help } else { $value }
        [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $shown)
    }
    $Env:_GITUNE_COMPLETE = ""
}
""",
}
# Where a shell looks for the script of a command, and what its start-up file needs for that.
_PLACES = {
    "bash": (".bash_completions/gitune.sh", ".bashrc", "source ~/.bash_completions/gitune.sh"),
    "zsh": (".zfunc/_gitune", ".zshrc", "fpath+=~/.zfunc; autoload -Uz compinit; compinit"),
    "fish": (".config/fish/completions/gitune.fish", "", ""),
}


def shell_of(environ: Mapping[str, str], parent: int) -> str:
    """The shell that started us, by its process where that can be seen, else the user's own; "" for one not known."""
    try:
        started_by = Path(f"/proc/{parent}/comm").read_text("utf-8").strip()
    except OSError:
        started_by = ""
    names = (started_by.lstrip("-"), environ.get("SHELL", "").rpartition("/")[2])
    return next((shell for name in names if (shell := "powershell" if name == "pwsh" else name) in _SCRIPTS), "")


def script(shell: str) -> str:
    """What teaches a shell our commands. Raises `ControllerError` for a shell that there is none for."""
    if shell not in _SCRIPTS:
        raise ControllerError(
            "this shell is not one that can be taught", hint=f"Start it from one of {', '.join(_SCRIPTS)}."
        )
    return _SCRIPTS[shell]


def install(shell: str) -> str:
    """Put the script where the shell looks for it, and say where. Raises `ControllerError`."""
    written = script(shell)
    if shell not in _PLACES:
        raise ControllerError(
            f"{shell} has no folder for such scripts",
            hint="`gitune --show-completion >> $PROFILE` adds it to what runs at its start.",
        )
    file, startup, line = _PLACES[shell]
    path = Path.home() / file
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(written, "utf-8")
        if startup:
            _add(Path.home() / startup, line)
    except OSError as error:
        raise ControllerError(f"{error.filename} cannot be written: {error.strerror}") from error
    return f"{shell} completion is installed in {path}; it counts in shells that start from now on\n"


def _add(file: Path, line: str) -> None:
    before = file.read_text("utf-8") if file.is_file() else ""
    if line not in before.splitlines():
        file.write_text(before + ("\n" if before and not before.endswith("\n") else "") + f"{line}\n", "utf-8")


def answer(asked: str, environ: Mapping[str, str]) -> str:
    """What a shell is told that asks with `_GITUNE_COMPLETE`: ``source_SHELL`` or ``complete_SHELL``."""
    what, _, shell = asked.partition("_")
    if what == "source" or shell not in _SCRIPTS:
        return script(shell)
    words, begun = _line(shell, environ)
    lines = [_told(shell, value, text) for value, text in suggestions(words, begun)]
    if shell == "zsh":
        return "_arguments '*: :((" + "\n".join(lines) + "))'\n" if lines else "_files\n"
    return "".join(f"{line}\n" for line in lines)


def suggestions(words: Sequence[str], begun: str) -> Iterator[tuple[str, str]]:
    """What may follow some words and begins with what is ``begun``: each with what it says of itself."""
    command, waits_for = _reached(words)
    if waits_for is not None:
        found = [(word, "") for word in waits_for.kind.words]
    elif begun.startswith("-"):
        found = [(name, one.help) for one in command.options if one.help for name in one.names if name[:2] == "--"]
    elif command is PROGRAM:
        found = [(one.name, summary(one)) for one in COMMANDS]
    else:
        found = [(word, "") for argument in command.arguments for word in argument.kind.words]
    return ((value, text) for value, text in found if value.startswith(begun))


def _reached(words: Sequence[str]) -> tuple[Command, Option | None]:
    """The command that the words name, and the option whose value comes next."""
    command, waits_for = PROGRAM, None
    for word in words:
        if waits_for is not None:
            waits_for = None
        elif word.startswith("-"):
            waits_for = next((one for one in command.options if word in one.names and one.metavar), None)
        elif command is PROGRAM:
            command = next((one for one in COMMANDS if one.name == word), PROGRAM)
    return command, waits_for


def _line(shell: str, environ: Mapping[str, str]) -> tuple[list[str], str]:
    """The words before the one that is begun, without the program's own, and that one."""
    if shell == "bash":
        typed = environ.get("COMP_WORDS", "").split()
        at = int(environ.get("COMP_CWORD", "0"))
        return typed[1:at], typed[at] if at < len(typed) else ""
    line = environ.get("_GITUNE_LINE", "")
    typed = line.split()
    return (typed[1:], "") if line.endswith(" ") else (typed[1:-1], typed[-1] if len(typed) > 1 else "")


def _told(shell: str, value: str, text: str) -> str:
    if shell == "bash" or not text:
        return value
    if shell == "zsh":
        return '"{}":"{}"'.format(*(part.translate(_QUOTED) for part in (value, text)))
    return f"{value}\t{text}"


_QUOTED = {ord('"'): '""', ord("'"): "''", ord("$"): "\\$", ord("`"): "\\`", ord(":"): "\\:"}

"""Each dependency is used, only behind its own door, and nothing is used that is not declared."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

# What is imported, by the name it has in pyproject.toml, and the rooms that may: everything else goes through them.
DOORS: dict[str, tuple[str, tuple[str, ...]]] = {
    "anyio": ("anyio", ("server",)),
    "argcomplete": ("argcomplete", ("cli",)),
    "autograd": ("autograd", ("server",)),
    "botocore": ("botocore", ("downloads",)),
    "gitpython": ("git", ("git",)),
    "cachetools": ("cachetools", ("engine",)),
    "gguf": ("gguf", ("server",)),
    "google-auth": ("google", ("providers",)),
    "httpx": ("httpx", ("rest",)),
    "openpyxl": ("openpyxl", ("dataset",)),
    "pyarrow": ("pyarrow", ("dataset",)),
    "zstandard": ("zstandard", ("dataset",)),
    "lightkube": ("lightkube", ("daemon",)),
    "jinja2": ("jinja2", ("daemon", "report")),
    "msgspec": (
        "msgspec",
        ("cli", "daemon", "dataset", "engine", "ledger", "providers", "report", "rest", "review", "server", "state"),
    ),
    "numpy": ("numpy", ("server",)),
    "opentelemetry-exporter-otlp-proto-http": ("opentelemetry", ("daemon",)),
    "opentelemetry-sdk": ("opentelemetry", ("daemon",)),
    "peft": ("peft", ("server",)),
    "prometheus-client": ("prometheus_client", ("daemon",)),
    "pydantic": ("pydantic", ("specs",)),
    "rich": ("rich", ("cli", "report")),
    "ruamel-yaml": ("ruamel", ("documents",)),
    "sniffio": ("sniffio", ("rest",)),
    "starlette": ("starlette", ("daemon", "server")),
    "structlog": ("structlog", ("cli", "daemon", "engine", "server", "wiring")),
    "torch": ("torch", ("server",)),
    "transformers": ("transformers", ("server",)),
    "uvicorn": ("uvicorn", ("connections", "daemon", "server")),
    "watchfiles": ("watchfiles", ("source",)),
}
# What a dependency brings along and says in its own documentation to import.
COMPANIONS = {
    "h11": "uvicorn",
    "httpcore": "httpx",
    "httpx2": "lightkube",
    "pydantic_core": "pydantic",
    "yaml": "lightkube",
}


def imports(modules: Mapping[str, ast.Module]) -> Iterator[tuple[str, str]]:
    """(module, first part of what it imports), wherever in the module that stands."""
    for path, tree in modules.items():
        for node in ast.walk(tree):
            match node:
                case ast.Import():
                    yield from ((path, alias.name.split(".")[0]) for alias in node.names)
                case ast.ImportFrom(level=0, module=str(name)):
                    yield path, name.split(".")[0]
                case _:
                    pass


def room(path: str) -> str:
    """``controller/rest/client.py`` and ``controller/rest.py`` alike to ``rest``."""
    return path.split("/")[1].removesuffix(".py")


def declared(root: Path) -> set[str]:
    """The names of the run-time dependencies in pyproject.toml, those of the extras too."""
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    return {re.split(r"[<>=~!\[; ]", line)[0] for line in wanted}


def test_every_dependency_has_a_door(root: Path) -> None:
    assert declared(root) - set(DOORS) == set()


def test_every_dependency_is_used(root: Path, modules: Mapping[str, ast.Module]) -> None:
    used = {name for _, name in imports(modules)}

    assert sorted(name for name in declared(root) if DOORS[name][0] not in used) == []


def test_every_dependency_is_imported_only_behind_its_door(modules: Mapping[str, ast.Module]) -> None:
    doors = dict(DOORS.values())
    doors |= {companion: doors[main] for companion, main in COMPANIONS.items()}
    strays = {
        f"{path} imports {name}" for path, name in imports(modules) if room(path) not in doors.get(name, (room(path),))
    }

    assert sorted(strays) == []


def test_nothing_is_imported_that_is_not_declared(modules: Mapping[str, ast.Module]) -> None:
    known = {*sys.stdlib_module_names, "controller", *COMPANIONS, *(imported for imported, _ in DOORS.values())}

    assert sorted({f"{path} imports {name}" for path, name in imports(modules) if name not in known}) == []


def test_only_the_git_room_and_the_starters_of_processes_start_programs(modules: Mapping[str, ast.Module]) -> None:
    starters = {room(path) for path, name in imports(modules) if name == "subprocess"}

    # git runs git; the server runs a process per training; the providers' door starts the embedded server.
    assert starters <= {"git", "server", "wiring", "providers", "cli"}


def test_what_a_runner_installs_is_a_part_of_what_is_declared_and_no_tensor_library_or_web_server(root: Path) -> None:
    read = tomllib.loads((root / "pyproject.toml").read_text())
    runner = read["dependency-groups"]["runner"]
    heavy = {"anyio", "autograd", "jinja2", "numpy", "prometheus-client", "starlette", "uvicorn", "watchfiles"}

    assert set(runner) <= set(read["project"]["dependencies"])
    assert {line.partition(">")[0] for line in read["project"]["dependencies"]} - heavy == {
        line.partition(">")[0] for line in runner
    }

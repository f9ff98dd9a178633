"""The tree itself: its tracked files, and its modules as syntax trees."""

import ast
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """The clone."""
    return ROOT


@pytest.fixture(scope="session")
def tracked() -> tuple[Path, ...]:
    """Every tracked file that is a text, relative to the clone."""
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = sorted(name for name in listed.split("\0") if name and not name.endswith(".png"))
    return tuple(Path(name) for name in names if (ROOT / name).is_file())


@pytest.fixture(scope="session")
def modules() -> Mapping[str, ast.Module]:
    """Every module of the package, parsed, by its path relative to the clone."""
    paths = sorted((ROOT / "controller").rglob("*.py"))
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text("utf-8")) for path in paths}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package and its rules in a folder of their own, to break them there."""
    made = tmp_path / "copy"
    shutil.copytree(ROOT / "controller", made / "controller", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", made)
    return made

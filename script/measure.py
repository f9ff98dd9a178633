"""A tree of Python to the numbers by which this house is kept: run as `python script/measure.py [REVISION]`.

Product lines are those that are neither blank nor a comment, docstrings included. A homonym is a class name that stands
for two things; an `isinstance` set one over three or more kinds of actions.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SMALL = 50  # lines
ACTIONS = frozenset(
    {"Create", "Retune", "Wait", "Promote", "Update", "Reuse", "Adopt", "Cancel", "Delete", "Orphan", "Hold", "Nothing"}
)


def sources(revision: str | None) -> Mapping[str, str]:
    """Every module of the product by its path, in the working tree or at a revision."""
    if revision is None:
        return {str(p.relative_to(ROOT)): p.read_text("utf-8") for p in sorted((ROOT / "controller").rglob("*.py"))}
    words = ["git", "archive", "--format=tar", revision, "controller"]
    packed = subprocess.run(words, cwd=ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        files = [member for member in archive.getmembers() if member.name.endswith(".py")]
        return {member.name: read.read().decode() for member in files if (read := archive.extractfile(member))}


def figures(modules: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """Each number with its name."""
    trees = {path: ast.parse(text) for path, text in modules.items()}
    nodes = [(path, node) for path, tree in trees.items() for node in ast.walk(tree)]
    classes = [node.name for _, node in nodes if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
    yield "modules", len(modules)
    yield f"modules under {SMALL} lines", sum(len(text.splitlines()) < SMALL for text in modules.values())
    yield "product lines", sum(product_lines(text) for text in modules.values())
    yield "classes", sum(isinstance(node, ast.ClassDef) for _, node in nodes)
    yield "homonyms", sum(count > 1 for count in Counter(classes).values())
    yield "isinstance sets over actions", sum(is_set_of_actions(node) for _, node in nodes)
    yield "modules that name a reason", len({path for path, node in nodes if names_a_reason(node)})


def product_lines(text: str) -> int:
    """Lines that are neither blank nor a comment."""
    return sum(bool(line.strip()) and not line.strip().startswith("#") for line in text.splitlines())


def is_set_of_actions(node: ast.AST) -> bool:
    """Whether this asks if something is one of three or more kinds of actions."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance"):
        return False
    return len(set(re.findall(r"\w+", ast.unparse(node.args[1]))) & ACTIONS) > 2  # noqa: PLR2004 - two are a pair


def names_a_reason(node: ast.AST) -> bool:
    """Whether this is ``Reason.SOMETHING``."""
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Reason"


def main(arguments: list[str]) -> int:
    """Print the numbers of the working tree, or of a revision."""
    for name, number in figures(sources(arguments[0] if arguments else None)):
        sys.stdout.write(f"{name:<32}{number:>8,}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

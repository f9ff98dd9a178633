"""One word per idea: no module and no class is named after nothing in particular."""

import ast
import re
from collections.abc import Mapping

# "base" is missing on purpose: here it is what a model is tuned on, never what a class is derived from.
VAGUE = {
    *("utils", "helpers", "common", "core", "misc", "types", "manager"),
    *("handler", "processor", "service", "data", "info", "context"),
}
# The terms of other fields, where the last word of a class name is not ours to choose.
SYNONYMS = re.compile(r"\b(manifest|checksum|dry[-_ ]run|phase)\b", re.IGNORECASE)


def last_word(name: str) -> str:
    """``retry_helpers`` and ``RetryHelpers`` alike to ``helpers``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_").split("_")[-1]


def vague_names(modules: Mapping[str, ast.Module]) -> list[str]:
    """Every module, room and class whose last word is vague."""
    parts = {f"{path}: {part}" for path in modules for part in path.removesuffix(".py").split("/")}
    classes = {f"{p}: {n.name}" for p, tree in modules.items() for n in ast.walk(tree) if isinstance(n, ast.ClassDef)}
    return sorted(found for found in parts | classes if last_word(found.split(": ")[1]) in VAGUE)


def test_no_module_and_no_class_has_a_vague_name(modules: Mapping[str, ast.Module]) -> None:
    assert vague_names(modules) == []


def test_vague_names_are_seen() -> None:
    planted = {"controller/retry_utils.py": ast.parse("class RunManager: ...\nclass BaseModel: ...\n")}

    assert vague_names(planted) == ["controller/retry_utils.py: RunManager", "controller/retry_utils.py: retry_utils"]


def test_no_function_takes_a_flag_for_a_dry_run(modules: Mapping[str, ast.Module]) -> None:
    flags = [
        f"{path}:{arg.lineno} {arg.arg}"
        for path, tree in modules.items()
        for arg in ast.walk(tree)
        if isinstance(arg, ast.arg) and SYNONYMS.search(arg.arg)
    ]

    assert flags == []

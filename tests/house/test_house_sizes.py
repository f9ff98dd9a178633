"""Functions that one can hold in the head: the numbers are limits, the habit is far below them."""

import ast
import statistics
from collections.abc import Iterator, Mapping

FUNCTION_LINES = 50
PARAMETERS = 6
MEDIAN_FUNCTION_LINES = 12

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(modules: Mapping[str, ast.Module]) -> Iterator[tuple[str, Function]]:
    """Every function with its place."""
    for path, tree in modules.items():
        for node in ast.walk(tree):
            if isinstance(node, Function):
                yield f"{path}:{node.lineno} {node.name}", node


def lines(function: Function) -> int:
    """From ``def`` to the end, the docstring included."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def parameters(function: Function) -> int:
    """All that a caller may give; ``self`` and ``cls`` are not given."""
    given = function.args
    names = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


def test_no_function_is_longer_than_a_screen(modules: Mapping[str, ast.Module]) -> None:
    counted = {place: lines(function) for place, function in functions(modules)}

    assert {place: n for place, n in counted.items() if n > FUNCTION_LINES} == {}
    assert statistics.median(counted.values()) <= MEDIAN_FUNCTION_LINES


def test_no_function_takes_more_than_a_handful_of_parameters(modules: Mapping[str, ast.Module]) -> None:
    counted = {place: parameters(f) for place, f in functions(modules)}

    assert {place: n for place, n in counted.items() if n > PARAMETERS} == {}


def test_every_module_opens_with_what_goes_in_and_what_comes_out(modules: Mapping[str, ast.Module]) -> None:
    assert [path for path, tree in modules.items() if not ast.get_docstring(tree)] == []

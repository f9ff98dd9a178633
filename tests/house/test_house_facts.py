"""What one provider calls things and counts stands in its own folder, and nowhere else in the package."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args

from controller.engine.score import METRICS
from controller.providers.opening import FACTS
from controller.settings import ProviderType
from controller.specs import models

# Case counts in the first: `TunedModel`, the kind of a spec, is ours.
WORDS = re.compile(r"tunedModels|(?i:gemini|google|generativelanguage)")
# The server is that API from the other side, and shares nothing with its client.
HOMES = ("controller/providers/", "controller/server/")
ALLOWED = {
    "controller/settings.py": "the types of gitune.yaml are a closed set",
    "controller/specs/controller_model.py": "the schema of gitune.yaml tells people the types and a variable to name",
    "controller/cli/init.py": "the file that is written for a start shows how a provider is added",
    "controller/downloads/stores.py": "a store of data has its own address and its own variable for credentials",
    "controller/cli/app.py": "the help shows what a full name may look like",
    "controller/cli/output.py": "loggers of libraries are called after their packages",
    "controller/testing/provider.py": "the provider in memory states the facts of the one it stands in for",
    "controller/testing/wire.py": "a recorded exchange needs errors as the API words them",
}


def strays(sources: Mapping[str, str]) -> list[str]:
    """``path:line`` of every word of one provider outside the folders that may say it."""
    return [
        f"{path}:{number}"
        for path, text in sources.items()
        if not path.startswith(HOMES)
        for number, line in enumerate(text.splitlines(), 1)
        if WORDS.search(line)
    ]


def limits() -> frozenset[int]:
    """The numbers that only a provider can know; small ones mean many things."""
    found = (n for one in FACTS.values() for n in (one.examples.input_characters, one.examples.inline_bytes))
    return frozenset(n for n in found if n is not None) | {one.prompt_characters for one in FACTS.values()}


def numbers(modules: Mapping[str, ast.Module]) -> Iterator[str]:
    """``path:line`` of every such number outside those folders."""
    for path, tree in modules.items():
        for node in ast.walk(tree):
            number = isinstance(node, ast.Constant) and type(node.value) is int and node.value in limits()
            if number and not path.startswith(HOMES):
                yield f"{path}:{node.lineno}"  # type: ignore[attr-defined]  # a constant has a line


def test_every_type_of_provider_states_its_facts() -> None:
    assert set(FACTS) == set(get_args(ProviderType))


def test_every_metric_that_a_spec_may_name_is_counted_by() -> None:
    assert set(METRICS) == set(models.METRICS)


def test_no_module_outside_its_folder_names_a_provider(root: Path, modules: Mapping[str, ast.Module]) -> None:
    found = strays({path: (root / path).read_text("utf-8") for path in modules})

    assert [place for place in found if place.partition(":")[0] not in ALLOWED] == []
    assert set(ALLOWED) == {place.partition(":")[0] for place in found} & set(ALLOWED), "an exception nobody needs"


def test_no_module_outside_its_folder_knows_a_providers_limits(modules: Mapping[str, ast.Module]) -> None:
    assert list(numbers(modules)) == []


def test_such_words_and_numbers_are_seen() -> None:
    line = 'if name.startswith("tunedModels/") and length > 40_000:\n    pass\n'

    assert strays({"controller/plan/a.py": line, "controller/providers/a.py": line}) == ["controller/plan/a.py:1"]
    assert strays({"controller/plan/a.py": "KIND = 'TunedModelStatus'\n# as Gemini does\n"}) == [
        "controller/plan/a.py:2"
    ]
    planted = {"controller/plan/a.py": ast.parse(line), "controller/providers/a.py": ast.parse(line)}
    assert list(numbers(planted)) == ["controller/plan/a.py:1"]

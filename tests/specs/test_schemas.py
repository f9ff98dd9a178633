"""What editors are told agrees with what the models take."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped] # it has none

from controller import documents, specs
from script.schemas import MODELS, schema

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TABLE: dict[str, list[str]] = json.loads((HERE / "bad.json").read_text("utf-8"))
SCHEMAS = {name: schema(name) for name in MODELS}
# What JSON Schema cannot say: other specs and files, YAML itself, characters, two fields compared, what comes later.
BEYOND = {
    *("GT027", "GT035", "GT039", "GT042", "GT104", "GT128", "GT304"),
    *(
        f"GT{n}"
        for n in (
            *range(101, 130),
            *range(301, 309),
            310,
            313,
            314,
            317,
            318,
            321,
            323,
            324,
            328,
            340,
            344,
            345,
            347,
            348,
            349,
            350,
        )
    ),
}
# Whole floats are integers there, some forms of a duration or path are too long to describe, and Python's `$` (unlike
# that of JSON Schema) takes a line break at the end.
LENIENT = {
    *("epochs-as-a-whole-float.yaml", "epochs-with-an-exponent.yaml", "a-metric-in-the-wrong-case.yaml"),
    *("a-duration-over-30-days.yaml", "a-path-on-a-drive.yaml", "a-name-with-a-line-break.yaml"),
    "an-interval-of-two-days.repositories.yaml",
}


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(schema)


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_committed_schema_is_what_the_models_say(name: str) -> None:
    committed = json.loads((ROOT / "schemas" / name).read_text("utf-8"))

    assert committed == SCHEMAS[name], "run script/schemas.py"


@pytest.mark.parametrize("name", MODELS)
def test_a_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])

    assert SCHEMAS[name]["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("name", MODELS)
def test_every_field_is_described(name: str) -> None:
    defined = SCHEMAS[name]["$defs"]
    objects = [SCHEMAS[name], *defined.values()]
    silent = [
        f"{part['title']}.{key}"
        for part in objects
        for key, field in part.get("properties", {}).items()
        if not (field.get("description") or defined[field["$ref"].split("/")[-1]]["description"])
    ]

    assert silent == []
    assert "null" not in json.dumps(SCHEMAS[name])


def schema_of(name: str) -> str:
    """The schema that a file of such a name is held against."""
    if name.endswith("repositories.yaml"):
        return "daemon.json"
    return "controller.json" if name.startswith("gitune") or name.endswith(".gitune.yaml") else "tunedmodel.json"


def judged(case: str) -> bool:
    """Whether the schema rejects a document of a bad file."""
    name = schema_of(case)
    parsed = documents.parse((HERE / "bad" / case).read_bytes(), case)
    return any(list(validator(SCHEMAS[name]).iter_errors(d.value)) for d in parsed.documents)


@pytest.mark.parametrize(
    "case", [c for c, lines in TABLE.items() if c not in LENIENT and {line.split()[0] for line in lines} - BEYOND]
)
def test_the_schema_rejects_what_the_models_reject(case: str) -> None:
    assert judged(case)


def good(folder: str) -> list[Path]:
    return sorted((HERE / folder).glob("*.yaml"))


@pytest.mark.parametrize("path", [*good("good"), *sorted((ROOT / "specs").glob("*.yaml"))], ids=lambda p: p.stem)
def test_the_schema_and_the_models_take_what_is_right(path: Path) -> None:
    parsed = documents.parse(path.read_bytes(), path.name)
    name = schema_of(path.name)

    assert parsed.problems == ()
    for document in parsed.documents:
        assert list(validator(SCHEMAS[name]).iter_errors(document.value)) == []
    if name == "controller.json":
        assert specs.load_settings(path.read_bytes(), path.name)[1] == ()
    elif name == "daemon.json":
        repositories, problems = specs.load_repositories(path.read_bytes(), path.name, {"ACME_TOKEN"})
        assert problems == ()
        assert len(repositories) == 4
    else:
        loaded = specs.load_specs({f"specs/{path.name}": path.read_bytes()})
        assert loaded.problems == ()
        assert len(loaded.specs) == len(parsed.documents)

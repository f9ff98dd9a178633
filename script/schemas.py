"""The models to the JSON Schemas (draft 2020-12) in ``schemas/``, which editors complete and check YAML with."""

import json
import sys
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from controller.specs.controller_model import Controller
from controller.specs.fields import Part
from controller.specs.models import TunedModel
from controller.specs.repositories import Daemon

FOLDER = Path(__file__).resolve().parents[1] / "schemas"
MODELS: dict[str, type[Part]] = {"tunedmodel.json": TunedModel, "controller.json": Controller, "daemon.json": Daemon}
DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Generator(GenerateJsonSchema):
    """The usual schema without `null`: a key that stands there has a value. Titles that repeat the key are left out."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """Only what it is where it is something."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Without defaults that are nothing, or more than one value."""
        written = super().default_schema(schema)
        if written.get("default") is None or isinstance(written["default"], (dict, list)):
            written.pop("default", None)
        return written

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002 - pydantic's own signature
        """The key says it."""
        return False


def schema(name: str) -> dict[str, Any]:
    """The schema that a file of ``schemas/`` holds."""
    generated = MODELS[name].model_json_schema(schema_generator=Generator)
    made = json.dumps({"$schema": DIALECT, "$id": f"https://gitune.dev/schemas/{name}", **generated})
    # Docstrings mark code with two backticks, editors with one; a class is a section, its mapping is not called so.
    return json.loads(made.replace("``", "`").replace('Section"', '"'))  # type: ignore[no-any-return] # an object


def text(name: str) -> str:
    """A schema as it is committed."""
    return json.dumps(schema(name), indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write the files; with ``--check`` only compare. 1 where one is stale."""
    stale = [name for name in MODELS if not _is_fresh(FOLDER / name, text(name))]
    if arguments == ["--check"]:
        for name in stale:
            sys.stderr.write(f"schemas/{name} is stale: run script/schemas.py\n")
        return 1 if stale else 0
    for name in stale:
        (FOLDER / name).write_text(text(name), "utf-8")
        sys.stdout.write(f"schemas/{name} is written\n")
    return 0


def _is_fresh(path: Path, wanted: str) -> bool:
    return path.is_file() and path.read_text("utf-8") == wanted


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

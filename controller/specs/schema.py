"""The models to the JSON Schemas (draft 2020-12) which editors complete and check YAML with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from controller.specs.controller_model import Controller
from controller.specs.fields import Part
from controller.specs.models import TunedModel
from controller.specs.repositories import Daemon

MODELS: Final[Mapping[str, type[Part]]] = MappingProxyType(
    {"tunedmodel.json": TunedModel, "controller.json": Controller, "daemon.json": Daemon}
)
# Where a repository has its copies: no YAML, so no pattern of specs finds any, and not the folder of a ledger.
COPIES: Final = ".gitune-schemas"


def header(path: str, name: str) -> str:
    """The first line of a file, by its path from the top, that leads an editor to the repository's copy of a schema."""
    up = "../" * path.count("/")
    return f"# yaml-language-server: $schema={up}{COPIES}/{name}\n"


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
    """The schema of a kind of file, by the name of its own file."""
    generated = MODELS[name].model_json_schema(schema_generator=Generator)
    made = json.dumps({"$schema": DIALECT, "$id": f"https://gitune.dev/schemas/{name}", **generated})
    # Docstrings mark code with two backticks, editors with one; a class is a section, its mapping is not called so.
    return json.loads(made.replace("``", "`").replace('Section"', '"'))  # type: ignore[no-any-return] # an object


def text(name: str) -> str:
    """A schema as it is written to a file."""
    return json.dumps(schema(name), indent=2, ensure_ascii=False) + "\n"

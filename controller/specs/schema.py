"""The models to JSON Schemas (draft 2020-12) that editors complete and check YAML with."""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from controller.specs.controller_model import Controller
from controller.specs.daemon_model import Daemon
from controller.specs.models import TunedModel
from controller.specs.parts import Part

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def tuned_model_schema() -> dict[str, Any]:
    """The schema of a ``TunedModel`` document."""
    return _schema(TunedModel, "tunedmodel")


def controller_schema() -> dict[str, Any]:
    """The schema of gitune.yaml."""
    return _schema(Controller, "controller")


def daemon_schema() -> dict[str, Any]:
    """The schema of a file of repositories."""
    return _schema(Daemon, "daemon")


def _schema(model: type[Part], name: str) -> dict[str, Any]:
    generated = model.model_json_schema(schema_generator=_Generator)
    schema = {"$schema": DIALECT, "$id": f"https://gitune.dev/schemas/{name}.json", **generated}
    # Docstrings mark code with two backticks, editors with one.
    return json.loads(json.dumps(schema).replace("``", "`"))  # type: ignore[no-any-return] # an object, as it was


class _Generator(GenerateJsonSchema):
    """The usual schema without `null`: a key that stands there has a value. Titles that repeat the key are left out."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        written = super().default_schema(schema)
        if written.get("default") is None or isinstance(written["default"], (dict, list)):
            written.pop("default", None)
        return written

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002 - pydantic's own signature
        return False

"""GitHub's own description of its API: what judges every request and answer, and what fills an answer's fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest, MockResponse

HOST = "http://127.0.0.1"


@cache
def description() -> dict[str, Any]:
    """The description, with unknown fields of a request's body refused: a misspelt one must not pass."""
    read: dict[str, Any] = json.loads(Path(__file__).with_name("github-api.json").read_text("utf-8"))
    for methods in read["paths"].values():
        for operation in methods.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                close(content["schema"])
    return read


def close(schema: dict[str, Any]) -> None:
    """Refuse unknown fields here and in every object below; one that comes in several forms takes those of each."""
    fields = schema.get("properties")
    if fields:
        if not any(key in schema for key in ("oneOf", "anyOf")):
            schema.setdefault("additionalProperties", False)
        for field in fields.values():
            close(field)
    if "items" in schema:
        close(schema["items"])


@cache
def judge() -> OpenAPI:
    return OpenAPI.from_dict(description(), config=Config(spec_validator_cls=None))


def check_exchange(method: str, address: str, body: bytes, status: int, answer: bytes) -> None:
    """Raises where a request or its answer is not as GitHub describes them."""
    parts = urlsplit(address)
    start, found, ref = parts.path.partition("/git/ref/")  # a ref's slashes are its own; a path parameter has none here
    path = f"{start}{found}{ref.replace('/', '%2F')}"
    request = MockRequest(
        HOST,
        method.lower(),
        path,
        args=dict(parse_qsl(parts.query)),
        headers={"content-type": "application/json"},
        data=body or None,
        content_type="application/json",
    )
    judge().validate_request(request)
    if status not in {204, 304, 403, 404, 410, 422, 429, 500, 502, 503}:
        judge().validate_response(request, MockResponse(answer, status, content_type="application/json"))


def filled(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """An object of a named schema: what was given, and something valid for every other field it must have."""
    made = _object(_schema({"$ref": f"#/components/schemas/{name}"}), given)
    assert isinstance(made, dict)
    return made


def _object(schema: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    fields = schema.get("properties", {})
    made = {name: _value(fields.get(name, {})) for name in schema.get("required", ())}
    for name, value in given.items():
        below = _schema(fields.get(name, {}))
        made[name] = _object(below, value) if isinstance(value, Mapping) else value
    return made


def _value(schema: Mapping[str, Any]) -> Any:
    found = _schema(schema)
    if found.get("nullable"):
        return None
    if "enum" in found:
        return found["enum"][0]
    match found.get("type", "object"):
        case "string" if found.get("format") == "uri":
            return "https://example.com/"
        case "string" if found.get("format") == "date-time":
            return "2026-11-01T12:00:00Z"
        case "string":
            return "x"
        case "integer" | "number":
            return 1
        case "boolean":
            return False
        case "array":
            return []
        case _:
            return _object(found, {})


def _schema(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema behind a reference; of several forms the first."""
    if "$ref" in schema:
        _, _, kind, name = schema["$ref"].split("/")
        return _schema(description()["components"][kind][name])
    for several in ("oneOf", "anyOf"):
        if several in schema and "properties" not in schema:
            return _schema({**schema[several][0], **({"nullable": True} if schema.get("nullable") else {})})
    if "allOf" in schema:
        merged: dict[str, Any] = {"properties": {}, "required": []}
        for part in map(_schema, schema["allOf"]):
            merged["properties"] |= part.get("properties", {})
            merged["required"] = [*merged["required"], *part.get("required", ())]
        return merged
    return schema

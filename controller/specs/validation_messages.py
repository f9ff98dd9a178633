"""What a model's validation finds to problems: a code for each kind of mistake, its place, what to write instead."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from controller.documents import Document, Path, Reread, Spot, Value
from controller.errors import Problem
from controller.specs.fields import Coded, ModelField, Part, find, homes, siblings

_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "tuple_type": "a list",
}
_BOUNDS = {
    "greater_than": "greater than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
}
_BOOLEAN_WORDS = frozenset({"yes", "no", "on", "off", "y", "n", "true", "false"})
_SHOWN = 40  # characters of a value that are repeated in a message


def problems(document: Document, model: type[Part], error: ValidationError | None) -> tuple[Problem, ...]:
    """Every mistake of one document, in the order of the file; keys without a value included."""
    if error is None and _is_complete(document):
        return ()
    words = _Words(document, model)
    errors = error.errors(include_url=False, include_input=False) if error else []
    inside = {e["loc"][:n] for e in errors for n in range(len(e["loc"]))}
    # A list of which an entry is refused seems too short: one mistake, one problem.
    found = [words.problem(e) for e in errors if not (e["type"] == "too_short" and e["loc"] in inside)]
    empty = list(words.empty())
    at_empty = {(p.line, p.column) for p in empty}
    kept = (p for p in found if p.code != "GT029" or (p.line, p.column) not in at_empty)
    # So does a number that YAML refused already and that is text here.
    known = {(p.line, p.column) for p in document.problems}
    return tuple(sorted({p for p in (*kept, *empty) if (p.line, p.column) not in known}))


class _Words:
    """The sentences for one document of one model."""

    def __init__(self, document: Document, model: type[Part]) -> None:
        self.document = document
        self.model = model

    def problem(self, error: ErrorDetails) -> Problem:
        """One finding of pydantic as a problem."""
        path = self._path(error["loc"])
        kind, context = error["type"], error.get("ctx", {})
        field = find(self.model, path)
        if kind == "extra_forbidden":
            return self._unknown(path)
        if kind == "missing":
            return self._missing((*path, str(error["loc"][-1])))
        value = self._value(path)
        if value is None and path in self.document.keys:
            return self._empty(path)
        if kind.startswith("GT"):
            at = (*path, context["at"]) if context.get("at") else path
            return self._at_value(at, kind, str(context["message"]), str(context["hint"]))
        if kind in _EXPECTED:
            return self._type(path, _EXPECTED[kind], value, field)
        if kind in {"literal_error", "enum"}:
            return self._choice(path, str(context["expected"]), value, field)
        return self._bound(path, kind, context, field, is_key=error["loc"][-1] == "[key]")

    def empty(self) -> Iterator[Problem]:
        """A problem for each known key that has no value."""
        refused = {(p.line, p.column) for p in self.document.problems}
        for path in self.document.keys:
            spot = self.document.value_place(path)
            if self._value(path) is None and self._is_known(path) and (spot.line, spot.column) not in refused:
                yield self._empty(path)

    def _is_known(self, path: Path) -> bool:
        names = siblings(self.model, path[:-1])
        return path[-1] in names if names else find(self.model, path) is not None

    def _path(self, location: tuple[str | int, ...]) -> Path:
        """The part of pydantic's location that is in the document: tags of unions and ``[key]`` are not."""
        path: Path = ()
        value: Any = self.document.value
        for step in location:
            if isinstance(value, dict) and step in value:
                path, value = (*path, step), value[str(step)]
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                path, value = (*path, step), value[step]
        return path

    def _value(self, path: Path) -> Value:
        """The value at a path; of a key that is there twice the first, so a path of the second may lead nowhere."""
        value: Any = self.document.value
        for step in path:
            if isinstance(value, dict):
                value = value.get(step, "")
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                return ""
        return value  # type: ignore[no-any-return] # a path of the document leads to one of its values

    def _unknown(self, path: Path) -> Problem:
        key = str(path[-1])
        return self._at_key(path, "GT001", f"there is no field {_shown(key)}{_in(path[:-1])}", self._meant(path, key))

    def _meant(self, path: Path, key: str) -> str:
        names = siblings(self.model, path[:-1])
        plain = {_plain(name): name for name in names}
        if close := difflib.get_close_matches(_plain(key), plain, 1, 0.75):
            return f"did you mean {plain[close[0]]}?"
        elsewhere = {_plain(name): (*home, name) for name, home in homes(self.model).items() if home != path[:-1]}
        if close := difflib.get_close_matches(_plain(key), elsewhere, 1, 0.9):
            return f"it belongs at {'.'.join(elsewhere[close[0]])}"
        return f"the fields here are {', '.join(names)}"

    def _missing(self, path: Path) -> Problem:
        spot = self.document.key_place(path[:-1]) if path[:-1] else self.document.place
        field = find(self.model, path)
        dotted = ".".join(str(p) for p in path)
        hint = field.coded.hint if field and field.coded and field.example is None else f"add {_example(path, field)}"
        return self._problem(spot, "GT002", f"{dotted} is missing", hint)

    def _empty(self, path: Path) -> Problem:
        hint = f"write {_example(path, find(self.model, path))}, or remove the line"
        return self._at_key(path, "GT040", f"{_name(path)} has no value", hint)

    def _type(self, path: Path, expected: str, value: Value, field: ModelField | None) -> Problem:
        given = _shown(value) if expected == "a whole number" and isinstance(value, float) else _kind(value)
        message = f"{_name(path)} must be {expected}, not {given}"
        return self._at_value(path, "GT003", message, self._type_hint(path, expected, value, field))

    def _type_hint(self, path: Path, expected: str, value: Value, field: ModelField | None) -> str:
        if field and field.coded and field.coded.for_types:
            return field.coded.hint
        key = path[-1] if path else ""
        if expected == "text" and isinstance(value, (bool, int, float)):
            return (
                f"put it in quotes: {key}: {json.dumps(str(value).lower() if isinstance(value, bool) else str(value))}"
            )
        if expected == "true or false" and isinstance(value, str) and value.lower() in _BOOLEAN_WORDS:
            return "write true or false without quotes: YAML 1.2 reads yes, no, on and off as text"
        if expected == "a whole number" and isinstance(value, float) and value.is_integer():
            return f"write `{key}: {value:.0f}`"
        return f"write {_example(path, field)}"

    def _choice(self, path: Path, expected: str, value: Value, field: ModelField | None) -> Problem:
        allowed = [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
        code = field.coded.code if field and field.coded else "GT009"
        message = f"{_name(path)} must be {_one_of(allowed)}, not {_shown(value)}"
        return self._at_value(path, code, message, _choice_hint(path, allowed, value, field))

    def _bound(
        self, path: Path, kind: str, context: dict[str, Any], field: ModelField | None, *, is_key: bool
    ) -> Problem:
        coded = (field.coded if field else None) or Coded("GT003")
        subject = f"a name in {_name(path[:-1])}" if is_key else _name(path)
        message = f"{subject} {_complaint(kind, context, self._value(path), is_key=is_key)}"
        hint = coded.hint or f"write {_example(path, field)}"
        place = self._at_key if is_key else self._at_value
        return place(path, coded.code, message, hint)

    def _at_value(self, path: Path, code: str, message: str, hint: str) -> Problem:
        return self._problem(self.document.value_place(path), code, message, hint)

    def _at_key(self, path: Path, code: str, message: str, hint: str) -> Problem:
        return self._problem(self.document.key_place(path), code, message, hint)

    def _problem(self, spot: Spot, code: str, message: str, hint: str) -> Problem:
        return Problem(self.document.file, spot.line, spot.column, code, message, hint=hint)


def _is_complete(document: Document) -> bool:
    """Whether every key has a value, in a document without problems of its own."""
    if document.problems:
        return False
    return isinstance(document.positions, Reread) or not _has_nothing(document.value)


def _has_nothing(value: Value) -> bool:
    """Whether something in it has no value."""
    if isinstance(value, dict):
        return any(map(_has_nothing, value.values()))
    return any(map(_has_nothing, value)) if isinstance(value, list) else value is None


def _complaint(kind: str, context: dict[str, Any], value: Value, *, is_key: bool) -> str:
    if kind in _BOUNDS:
        return f"must be {_BOUNDS[kind].format_map({k: _figure(v) for k, v in context.items()})}"
    if kind in {"string_too_long", "too_long"}:
        of = "characters" if is_key or isinstance(value, str) else "entries"
        return f"must have at most {context['max_length']:,} {of}"
    if kind in {"string_too_short", "too_short"}:
        return "must not be empty"
    if kind == "union_tag_not_found":
        return f"must be a model's name or a mapping, not {_kind(value)}"
    return "is not written as it must be" if value is None or is_key else f"cannot be {_shown(value)}"


def _figure(bound: float) -> str:
    return f"{bound:,.0f}" if float(bound).is_integer() else repr(bound)


def _choice_hint(path: Path, allowed: list[str], value: Value, field: ModelField | None) -> str:
    if field and field.coded:
        return field.coded.hint
    lowered = {word.lower(): word for word in allowed}
    close = difflib.get_close_matches(value.lower(), lowered, 1, 0.6) if isinstance(value, str) else []
    return f"write `{path[-1]}: {lowered[close[0]] if close else allowed[0]}`"


def _one_of(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _name(path: Path) -> str:
    """The field as a person calls it: its last name, with the number of a list item counted from 1."""
    if not path:
        return "the document"
    if isinstance(path[-1], int):
        return f"entry {path[-1] + 1} of {_name(path[:-1])}"
    return _cut(path[-1])


def _in(path: Path) -> str:
    return f" in {'.'.join(str(p) for p in path)}" if path else " at the top of the document"


def _example(path: Path, field: ModelField | None) -> str:
    if field is None or field.example is None or not path:
        return "a value of the right kind"
    written = _inline(field.example)
    return f"`{field.name}: {written}`"


def _inline(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case dict():
            return "{" + ", ".join(f"{k}: {_inline(v)}" for k, v in value.items()) + "}"
        case list():
            return "[" + ", ".join(_inline(v) for v in value) + "]"
        case str() if value.strip() != value or value == "" or ": " in value or "*" in value:
            return json.dumps(value)
        case _:
            return str(value)


def _kind(value: Value) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case dict():
            return "a mapping"


def _shown(value: Value) -> str:
    if not isinstance(value, (str, int, float, bool)):
        return _kind(value)
    text = _cut(str(value).lower() if isinstance(value, bool) else str(value))
    return repr(text) if isinstance(value, str) else text


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")

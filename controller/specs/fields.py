"""What all models of YAML documents are made of, and a model with a path to the field there: bounds, code, example."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

API_VERSION = "gitune.dev/v1alpha1"
GROUP = API_VERSION.split("/", maxsplit=1)[0]

# Control, format (bidirectional marks, zero-width), surrogate, private-use and line-separator characters; no class
# of letters, so every language can be written. Emoji joiners are format characters and go too.
_UNFIT_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_ALLOWED = frozenset("\t\n")


class Part(BaseModel):
    """A mapping of which every field is known, strictly typed, and never changed after it is read."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        alias_generator=to_camel,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )


@dataclass(frozen=True, slots=True)
class Coded:
    """The code of a field whose value is of the right type and still not allowed, and what to write instead.

    ``for_types``: the hint is also the best one for a value of the wrong type.
    """

    code: str
    hint: str = ""
    for_types: bool = False


def refuse(code: str, message: str, hint: str, at: str = "") -> PydanticCustomError:
    """The error a validator raises: its code, and where it is not the field itself the key ``at`` below it."""
    # pydantic fills {…} in a template from the context, so the text goes in as a value.
    return PydanticCustomError(code, "{message}", {"message": message, "hint": hint, "at": at})


def visible(text: str) -> str:
    """The text, where nothing in it is invisible or turns the reading direction. Raises GT039."""
    if text.isprintable():  # none of those is
        return text
    for character in text:
        if unicodedata.category(character) in _UNFIT_CATEGORIES and character not in _ALLOWED:
            message = f"the text holds the invisible character U+{ord(character):04X}"
            raise refuse("GT039", message, "remove it: what cannot be seen cannot be reviewed")
    return text


Text = Annotated[str, AfterValidator(visible)]

_RELATIVE = re.compile(r"[^/\\~][^\\]{0,499}")
RELATIVE_PATTERN = f"^{_RELATIVE.pattern}$"
_DRIVE = re.compile(r"[A-Za-z]:")


def relative(text: str, code: str) -> str:
    """The text, where it is a relative path with ``/`` between its parts. Raises ``code``."""
    if not _RELATIVE.fullmatch(text) or _DRIVE.match(text) or text != text.strip():
        message = "the path must be relative, with / between its parts, and at most 500 characters"
        raise refuse(code, message, "write it relative to the file it is in, such as `datasets/rows.jsonl`")
    return text


@dataclass(frozen=True, slots=True)
class ModelField:
    """One field of a model as its documents write it. ``example`` is None where none is given."""

    name: str
    parts: tuple[type[Part], ...]
    coded: Coded | None
    example: object


@cache
def fields(model: type[Part]) -> dict[str, ModelField]:
    """Every field of a model by the name documents use."""
    return {info.alias or name: _field(info, info.alias or name) for name, info in model.model_fields.items()}


def _field(info: FieldInfo, name: str) -> ModelField:
    coded = next((m for m in _metadata(info) if isinstance(m, Coded)), None)
    return ModelField(
        name, tuple(_parts(info.annotation)), coded, info.examples[0] if info.examples else _example(info)
    )


def _example(info: FieldInfo) -> object:
    found = (m.examples[0] for m in _metadata(info) if isinstance(m, FieldInfo) and m.examples)
    return next(found, None)


def _metadata(info: FieldInfo) -> Iterator[object]:
    yield from info.metadata
    yield from _annotated(info.annotation)


def _annotated(annotation: object) -> Iterator[object]:
    """What stands beside a type, also inside ``X | None``."""
    if get_origin(annotation) is Annotated:
        yield from get_args(annotation)[1:]
        yield from _annotated(get_args(annotation)[0])
    elif get_origin(annotation) in {Union, UnionType}:
        for argument in get_args(annotation):
            yield from _annotated(argument)


def _parts(annotation: object) -> Iterator[type[Part]]:
    if isinstance(annotation, type) and issubclass(annotation, Part):
        yield annotation
        return
    for argument in get_args(annotation):
        yield from _parts(argument)


def find(model: type[Part], path: Sequence[str | int]) -> ModelField | None:
    """The field at a path; of a list item or a free key, the field that holds it. None where there is none."""
    found: ModelField | None = None
    within: tuple[type[Part], ...] = (model,)
    for step in path:
        field = next((fields(p)[step] for p in within if isinstance(step, str) and step in fields(p)), None)
        if field is not None:
            found, within = field, field.parts
    return found


def siblings(model: type[Part], path: Sequence[str | int]) -> tuple[str, ...]:
    """The names a mapping at a path may hold; empty where any key is allowed."""
    holder = find(model, path)
    within = (model,) if not path else holder.parts if holder else ()
    return tuple(name for part in within for name in fields(part))


@cache
def homes(model: type[Part]) -> dict[str, tuple[str, ...]]:
    """Where each field name belongs: the dotted path of its mapping, of the first one that has it."""
    found: dict[str, tuple[str, ...]] = {}
    queue: list[tuple[tuple[str, ...], type[Part]]] = [((), model)]
    for path, part in queue:
        for name, field in fields(part).items():
            found.setdefault(name, path)
            queue.extend(((*path, name), p) for p in field.parts)
    return found

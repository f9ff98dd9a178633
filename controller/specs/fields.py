"""A model class and a path to the field there: its annotation, its bounds, its code, an example of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from controller.specs.parts import Coded, Part


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a model as its documents write it. ``example`` is None where none is given."""

    name: str
    parts: tuple[type[Part], ...]
    coded: Coded | None
    example: object


@cache
def fields(model: type[Part]) -> dict[str, Field]:
    """Every field of a model by the name documents use."""
    return {info.alias or name: _field(info, info.alias or name) for name, info in model.model_fields.items()}


def _field(info: FieldInfo, name: str) -> Field:
    coded = next((m for m in _metadata(info) if isinstance(m, Coded)), None)
    return Field(name, tuple(_parts(info.annotation)), coded, info.examples[0] if info.examples else _example(info))


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


def find(model: type[Part], path: Sequence[str | int]) -> Field | None:
    """The field at a path; of a list item or a free key, the field that holds it. None where there is none."""
    found: Field | None = None
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

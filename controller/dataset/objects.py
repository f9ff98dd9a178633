"""One parsed JSON value to an example, or to what is wrong with it."""

from __future__ import annotations

import re

from controller.dataset.findings import Fault
from controller.dataset.names import shown
from controller.dataset.rows import Layout
from controller.dataset.strict_json import Number
from controller.state.desired import Example

_SURROGATE = re.compile("[\ud800-\udfff]")


def to_example(value: object, layout: Layout) -> Example | tuple[Fault, ...]:
    """The example with its prefix. Columns beside the two are fine and not looked at."""
    if not isinstance(value, dict):
        return (Fault("GT251", f"an example is an object, this is {kind(value)}", _object_hint(layout)),)
    text_input, output = value.get(layout.columns_input), value.get(layout.columns_output)
    if type(text_input) is str and type(output) is str and not _halved(text_input) and not _halved(output):
        return Example(layout.prefix + text_input, output)
    return tuple(fault for name in layout.columns if (fault := _column_fault(value, name, layout)))


def kind(value: object) -> str:
    """What a value is, in JSON's words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case Number():
            return "a number"
        case str():
            return "text"
        case list():
            return "an array"
        case _:
            return "an object"


def _halved(text: str) -> bool:
    return not text.isascii() and _SURROGATE.search(text) is not None


def _column_fault(value: dict[str, object], name: str, layout: Layout) -> Fault | None:
    if name not in value:
        has = shown(value, layout.columns)
        hint = f"the object has {has or 'no keys'}; name the columns in dataset.columns"
        return Fault("GT252", f"column '{name}' is missing", hint)
    found = value[name]
    if not isinstance(found, str):
        return Fault("GT253", f"column '{name}' holds {kind(found)}, not text", _text_hint(found))
    if _halved(found):
        return Fault(
            "GT250",
            f"column '{name}' holds half of a surrogate pair",
            r"write the character itself, or both halves: \ud83d\ude00",
        )
    return None


def _text_hint(found: object) -> str:
    if isinstance(found, Number | bool):
        return 'put it in quotes: "7", not 7'
    return "leave the example out, or give it a text" if found is None else "join it into one text"


def _object_hint(layout: Layout) -> str:
    return f'write {{"{layout.columns_input}": "…", "{layout.columns_output}": "…"}}'

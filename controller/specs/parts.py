"""What all models of YAML documents are made of: strictness, camelCase names, texts a person can see."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
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
        raise refuse(code, message, "write it relative to the file it stands in, such as `datasets/rows.jsonl`")
    return text

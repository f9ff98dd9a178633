"""A frozen value and fields of it to the value that has them: the same one where it has them already."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import replace as changed  # so that its fields and their types are checked
else:

    def changed(value, /, **fields):  # noqa: ANN001, ANN003, ANN201 - as `dataclasses.replace`
        """As `dataclasses.replace`, which takes far longer than to look whether there is anything to do."""
        for name, new in fields.items():
            old = getattr(value, name)
            if old is not new and old != new:
                return replace(value, **fields)
        return value


__all__ = ["changed"]

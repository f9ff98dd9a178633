"""The models to the JSON Schemas in ``schemas/``."""

import sys
from pathlib import Path

from controller.specs.schema import MODELS, schema, text

__all__ = ["MODELS", "main", "schema", "text"]

FOLDER = Path(__file__).resolve().parents[1] / "schemas"


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

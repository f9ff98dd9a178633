"""The models to the JSON Schemas in ``schemas/``."""

import json
import sys
from pathlib import Path
from typing import Any

from controller.specs.schema import controller_schema, daemon_schema, tuned_model_schema

FOLDER = Path(__file__).resolve().parents[1] / "schemas"
SCHEMAS = {"tunedmodel.json": tuned_model_schema, "controller.json": controller_schema, "daemon.json": daemon_schema}


def text(schema: dict[str, Any]) -> str:
    """A schema as it is committed."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    """Write the files; with ``--check`` only compare. 1 where one is stale."""
    stale = [n for n, make in SCHEMAS.items() if not _is_fresh(FOLDER / n, text(make()))]
    if arguments == ["--check"]:
        for name in stale:
            sys.stderr.write(f"schemas/{name} is stale: run script/schemas.py\n")
        return 1 if stale else 0
    for name in stale:
        (FOLDER / name).write_text(text(SCHEMAS[name]()), "utf-8")
        sys.stdout.write(f"schemas/{name} is written\n")
    return 0


def _is_fresh(path: Path, wanted: str) -> bool:
    return path.is_file() and path.read_text("utf-8") == wanted


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

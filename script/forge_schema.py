"""GitHub's own description of its API and of its webhooks, as published on npm, to the parts that Gitune uses.

Run as `python3 script/forge_schema.py` to write tests/forge/github-api.json and webhooks.json again; it needs the
network. The tests read the written files alone.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import sys
import tarfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSION = "23.0.2"
FOLDER = Path(__file__).resolve().parents[1] / "tests" / "forge"
FILE = FOLDER / "github-api.json"
EVENTS_FILE = FOLDER / "webhooks.json"
EVENTS = ("issue_comment", "pull_request", "push", "repository_dispatch", "workflow_dispatch", "workflow_run")


@dataclass(frozen=True)
class Package:
    """A package of npm, the digest of its archive, and the one file of it that is read."""

    address: str
    sha512: str
    file: str


API = Package(
    f"https://registry.npmjs.org/@octokit/openapi/-/openapi-{VERSION}.tgz",
    "pV8M7L9GY23AybNvTmo2nyjmpmnt6+2sRE/tqr0ZLQcPS4lnw7u5eZGNmwRNkBC3D7gZXbFx5AHzLUVRBXGDhg==",
    "package/generated/api.github.com.json",
)
WEBHOOKS = Package(
    "https://registry.npmjs.org/@octokit/webhooks-examples/-/webhooks-examples-7.6.1.tgz",
    "De6U3XB6O3DtCa7bKgCMzTHdeopqqZ6SNivMYJnK65ierKL1AnNIA0tkRYCRS7lwGT792d+Ps1WbfHlso6MynQ==",
    "package/api.github.com/index.json",
)
REPOSITORY = "/repos/{owner}/{repo}"
USED = {
    "/user": {"get"},
    REPOSITORY: {"get"},
    f"{REPOSITORY}/git/ref/{{ref}}": {"get"},
    f"{REPOSITORY}/pulls/{{pull_number}}/commits": {"get"},
    f"{REPOSITORY}/pulls/{{pull_number}}": {"get"},
    f"{REPOSITORY}/commits/{{commit_sha}}/pulls": {"get"},
    f"{REPOSITORY}/commits/{{ref}}/check-runs": {"get"},
    f"{REPOSITORY}/issues/{{issue_number}}/comments": {"get", "post"},
    f"{REPOSITORY}/issues/comments": {"get"},
    f"{REPOSITORY}/issues/comments/{{comment_id}}": {"delete", "get", "patch"},
    f"{REPOSITORY}/issues/comments/{{comment_id}}/reactions": {"post"},
    f"{REPOSITORY}/collaborators/{{username}}/permission": {"get"},
    f"{REPOSITORY}/check-runs": {"post"},
    f"{REPOSITORY}/check-runs/{{check_run_id}}": {"patch"},
    f"{REPOSITORY}/statuses/{{sha}}": {"post"},
}
# What a validator does not look at, and what makes most of the size.
SILENT = frozenset({"description", "summary", "example", "examples", "externalDocs", "x-github", "tags", "deprecated"})


def downloaded(package: Package) -> Any:  # noqa: ANN401 - somebody else's document
    """The JSON in a package. Ends the program where the package is not the pinned one."""
    with urllib.request.urlopen(package.address, timeout=120) as answer:
        packed = answer.read()
    if base64.b64encode(hashlib.sha512(packed).digest()).decode() != package.sha512:
        sys.exit(f"{package.address} is not the package whose digest is pinned here")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        found = archive.extractfile(package.file)
        return json.load(found or sys.exit(f"the package holds no {package.file}"))


def samples(whole: Any) -> dict[str, list[Any]]:  # noqa: ANN401 - as above
    """The payloads of the events that start us, without the addresses that make most of their size."""
    return {event["name"]: [shorter(e) for e in event["examples"]] for event in whole if event["name"] in EVENTS}


def shorter(node: Any) -> Any:  # noqa: ANN401 - as above
    """A payload without its many links."""
    if isinstance(node, list):
        return [shorter(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {key: shorter(value) for key, value in node.items() if not key.endswith("_url") and key != "_links"}


def pruned(whole: Any) -> dict[str, Any]:  # noqa: ANN401 - as above
    """The used operations, and whatever they refer to."""
    paths = {
        path: {method: plain(whole["paths"][path][method]) for method in sorted(methods)}
        for path, methods in sorted(USED.items())
    }
    kept: dict[str, dict[str, Any]] = {}
    wanted = set(references(paths))
    while wanted:
        _, _, kind, name = wanted.pop().split("/")
        if name not in kept.setdefault(kind, {}):
            kept[kind][name] = plain(whole["components"][kind][name])
            wanted.update(references(kept[kind][name]))
    components = {kind: dict(sorted(named.items())) for kind, named in sorted(kept.items())}
    about = {"title": "The part of GitHub's REST API that Gitune uses", "version": VERSION, "license": {"name": "MIT"}}
    return {
        "openapi": whole["openapi"],
        "info": about,
        "servers": [{"url": "http://127.0.0.1"}],
        "paths": paths,
        "components": components,
    }


def plain(node: Any, *, names: bool = False) -> Any:  # noqa: ANN401 - as above
    """A part without its prose; in a mapping of names nothing is prose."""
    if isinstance(node, list):
        return [plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: value for key, value in node.items() if names or key not in SILENT}
    return {key: plain(value, names=key in {"properties", "headers"} and not names) for key, value in kept.items()}


def references(node: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    """Every ``#/components/…`` in a part."""
    if isinstance(node, list):
        for item in node:
            yield from references(item)
    elif isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)


if __name__ == "__main__":
    FILE.write_text(json.dumps(pruned(downloaded(API)), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    written = json.dumps(samples(downloaded(WEBHOOKS)), separators=(",", ":"), sort_keys=True)
    EVENTS_FILE.write_text(f"{written}\n", encoding="utf-8")
    print(f"{FILE}: {FILE.stat().st_size:,} bytes, {EVENTS_FILE}: {EVENTS_FILE.stat().st_size:,} bytes")

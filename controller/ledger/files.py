"""A record to its status file, and status files back to records. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from controller import documents
from controller.documents.values import Document
from controller.errors import LedgerError
from controller.ledger.codec import Garbled, Plain, from_plain, to_plain
from controller.state.identity import NAME
from controller.state.reasons import Reason
from controller.state.recorded import Record, Run

API_VERSION: Final = "gitune.dev/v1alpha1"
KIND: Final = "TunedModelStatus"
SCHEMA_VERSION: Final = 2
# Of the first version: no reviews, and these reasons. A status that says no more is written as such, so that an older
# release reads it; one that does is refused by it, since it would act without the reviews and write them away.
_FIRST_VERSION: Final = 1
_FIRST_REASONS: Final = frozenset(Reason) - {Reason.NOT_REVIEWED, Reason.ATTEMPT_LOWERED}
_VERSIONS: Final = (_FIRST_VERSION, SCHEMA_VERSION)
_WRITTEN: Final = frozenset(map(repr, _VERSIONS))
README: Final = "README.md"
LARGEST_STATUS: Final = 1024 * 1024  # bytes
_MENDING: Final = (
    "The ledger is written by Gitune alone: put the file back as it was (the branch has its history), then run again."
)


def is_ours(path: str) -> bool:
    """Whether the ledger writes this path, and takes it away when it is no longer needed; other files are let be."""
    return path == README or path.startswith(("status/", "curves/"))


def status_path(name: str) -> str:
    """Where the status of a spec name is. Raises `LedgerError` for what is no name: it would become a path."""
    if not NAME.fullmatch(name):
        raise LedgerError(f"{name!r} is not a name a spec can have, so it has no status file")
    return f"status/{name}.yaml"


def is_status(path: str) -> bool:
    """Whether a path is a status file's."""
    folder, _, name = path.rpartition("/")
    return folder == "status" and name.endswith(".yaml")


def drawn(record: Record) -> Run | None:
    """The run whose curve is kept as a file: the last one that has any."""
    return next((run for run in reversed(record.runs) if run.losses), None)


def status_file(record: Record) -> bytes:
    """One status file."""
    status = to_plain(record)
    if isinstance(status, dict):
        del status["name"]
    whole: Plain = {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "schemaVersion": _version(record),
        "metadata": {"name": record.name},
        "status": status,
    }
    return documents.dump(whole).encode()


def _version(record: Record) -> int:
    later = record.reviews or record.commands or any(c.reason not in _FIRST_REASONS for c in record.conditions)
    return SCHEMA_VERSION if later else _FIRST_VERSION


def read_status(path: str, content: bytes) -> Record:
    """The record of one status file. Raises `LedgerError` naming file and line for anything Gitune did not write."""
    return _as_written(path, content) or _as_found(path, content)


def _as_written(path: str, content: bytes) -> Record | None:
    """The record of a file that is, byte for byte, one of ours; None where anything is to be said against it."""
    whole = documents.read_back(content) or {}
    head = (
        whole.get("apiVersion"),
        whole.get("kind"),
        repr(whole.get("schemaVersion")) in _WRITTEN,
    )
    metadata, status = whole.get("metadata"), whole.get("status")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if head != (API_VERSION, KIND, True) or not isinstance(status, dict):
        return None
    if not isinstance(name, str) or not NAME.fullmatch(name) or path != status_path(name):
        return None
    try:
        return from_plain({**status, "name": name})
    except Garbled:
        return None


def _as_found(path: str, content: bytes) -> Record:
    """The record of a file that somebody may have had a hand in, with the place of what is wrong."""
    parsed = documents.parse(content, path)
    if parsed.problems:
        raise LedgerError(f"the ledger cannot be read: {parsed.problems[0]}", hint=_MENDING)
    if len(parsed.documents) != 1:
        raise LedgerError(f"the ledger cannot be read: {path} is not one document", hint=_MENDING)
    document = parsed.documents[0]
    head = document.value if isinstance(document.value, dict) else {}
    _check_head(path, document, head)
    metadata, status = head.get("metadata"), head.get("status")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(name, str) or not NAME.fullmatch(name) or path != status_path(name):
        raise _garbled(path, document, ("metadata", "name"), "the name is not the file's")
    if not isinstance(status, dict):
        raise _garbled(path, document, ("status",), "there is no status")
    try:
        return from_plain({**status, "name": name})
    except Garbled as error:
        raise _garbled(path, document, ("status", *error.path), str(error)) from error


def _check_head(path: str, document: Document, head: Mapping[str, object]) -> None:
    version = head.get("schemaVersion")
    if isinstance(version, int) and not isinstance(version, bool) and version > SCHEMA_VERSION:
        raise LedgerError(
            f"{path} was written by a newer Gitune (schemaVersion {version}; this one reads up to {SCHEMA_VERSION})",
            hint="Upgrade Gitune here; nothing was changed.",
        )
    if version not in _VERSIONS or isinstance(version, bool):
        raise _garbled(path, document, ("schemaVersion",), "schemaVersion is missing or unknown")
    if head.get("kind") != KIND or head.get("apiVersion") != API_VERSION:
        raise _garbled(path, document, ("kind",), f"it is not a {KIND} of {API_VERSION}")


def _garbled(path: str, document: Document, where: tuple[str | int, ...], message: str) -> LedgerError:
    spot = document.value_place(where)
    return LedgerError(f"the ledger cannot be read: {path}:{spot.line}:{spot.column}: {message}", hint=_MENDING)

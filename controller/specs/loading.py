"""The bytes of spec files to valid specs, broken ones, and every problem of every file, each with its place."""

from __future__ import annotations

import difflib
import posixpath
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache, partial
from typing import TypeVar

from pydantic import ValidationError

from controller.documents import Document, FileLimits, Path, Spot, Value, parse
from controller.errors import Problem, Severity
from controller.settings import SETTINGS_FILE
from controller.specs.fields import API_VERSION, GROUP, Part
from controller.specs.loaded import (
    BrokenSpec,
    LoadedSpec,
    LoadedSpecs,
    SpecFile,
    former_name_problems,
    name_place,
    placed,
    setting_aside,
)
from controller.specs.models import TunedModel
from controller.specs.validation_messages import problems as worded
from controller.state.desired import Place
from controller.state.identity import NAME


def spec_paths(patterns: Sequence[str], paths: Iterable[str]) -> tuple[str, ...]:
    """The paths that a pattern fits, sorted. ``*`` stays within a folder, ``**`` stands for any number of folders."""
    fits = [_fitting(pattern.removeprefix("./")) for pattern in patterns]
    return tuple(sorted(path for path in paths if any(fit(path) for fit in fits)))


def _fitting(pattern: str) -> Callable[[str], bool]:
    """Whether a path fits a pattern."""
    below = _BELOW.fullmatch(pattern)
    if below is None:
        return partial(_fits, pattern.split("/"))
    folder, end = below[1], below[2]
    return lambda path: path.startswith(folder) and path.endswith(end)


def _fits(pattern: Sequence[str], asked: str) -> bool:
    """Whether a path fits, in steps of at most the one length times the other: patterns come from people."""
    path = asked.split("/")
    at, taken = 0, 0
    last: tuple[int, int] | None = None  # behind the latest `**`, and how far it reaches so far
    while taken < len(path):
        part = pattern[at] if at < len(pattern) else ""
        if part == "**":
            at += 1
            last = (at, taken)
        elif part and fnmatchcase(path[taken], part):
            at, taken = at + 1, taken + 1
        elif last is not None:
            last = (last[0], last[1] + 1)
            at, taken = last
        else:
            return False
    return all(part == "**" for part in pattern[at:])


_BELOW = re.compile(r"((?:[^*?[\]]*/)?)\*\*/\*([^*?[\]/]*)")  # `specs/**/*.yaml`: all of one ending below one folder
Model = TypeVar("Model", bound=Part)

SPEC_LIMITS = FileLimits(tokens=60_000, nodes=20_000, scalar=1 << 16)
_KINDS = ("TunedModel", "Controller")
_WRITTEN_BY_US = "TunedModelStatus"  # a ledger kept in a directory may lie among the specs
_OURS = frozenset({"baseModel", "dataset"})  # the fields that each spec has
_CONTROLLER_HINT = "move it to gitune.yaml at the top of the repository"


def load_specs(files: Mapping[str, bytes]) -> LoadedSpecs:
    """The specs in some files, by their paths. Documents of other kinds are ignored. Nothing is raised.

    Two specs of one name are both broken. References to other specs are looked at by `check_references`.
    """
    return joined(read_file(name, data) for name, data in files.items())


def joined(files: Iterable[SpecFile]) -> LoadedSpecs:
    """The specs of files that were read one by one, as `load_specs` gives them."""
    found = sorted(files, key=lambda f: f.name)
    by_name: dict[str, list[LoadedSpec | BrokenSpec]] = defaultdict(list)
    for file in found:
        for reading in file.readings:
            by_name[reading.name].append(reading)
    shared = tuple(_shared_names(by_name))
    broken = _broken(by_name, shared)
    valid = (group[0] for group in by_name.values() if len(group) == 1)
    loaded = LoadedSpecs(
        tuple(sorted((s for s in valid if isinstance(s, LoadedSpec)), key=lambda s: s.name)),
        tuple(sorted({p for f in found for p in f.problems}.union(shared))),
        broken,
        tuple(f.name for f in found if f.unreadable),
    )
    return setting_aside(loaded, former_name_problems(loaded))


def read_file(name: str, data: bytes) -> SpecFile:
    """What one file holds, whatever the others do. Nothing is raised."""
    parsed = parse(data, name, SPEC_LIMITS)
    if not parsed.problems and all(document.value is None for document in parsed.documents):
        hint = "remove the file, or write the spec; until then no spec counts as removed"
        message = "the file is empty" if not data.strip() else "the file holds no document"
        return SpecFile(
            name, problems=(Problem(name, 1, 1, "GT128", message, Severity.WARNING, hint),), unreadable=True
        )
    own = {p for d in parsed.documents for p in d.problems}
    stray = any(p.severity is Severity.ERROR and p not in own for p in parsed.problems)
    reading = _Reading(name, parsed.problems, unreadable=stray)
    for document in parsed.documents:
        reading.take(document)
    return SpecFile(name, tuple(reading.readings), reading.problems, reading.unreadable)


def read_one(
    data: bytes, file: str, model: type[Model], code: str
) -> tuple[Document | None, Model | None, tuple[Problem, ...]]:
    """The document of a file that holds one, by its model, and what is wrong with it. Nothing is raised.

    The document is None where it cannot be read as a mapping, the model where there is none. ``code`` is that of a file
    which is not one mapping.
    """
    parsed = parse(data, file, SPEC_LIMITS)
    hint = f"start it with `apiVersion: {API_VERSION}` and `kind: {model.__name__}`"
    if len(parsed.documents) != 1:
        if any(p.severity is Severity.ERROR for p in parsed.problems):
            return None, None, parsed.problems
        spot = parsed.documents[1].place if parsed.documents else Spot(1, 1)
        message = f"the file holds {len(parsed.documents)} documents, it must hold one"
        wrong = Problem(file, spot.line, spot.column, code, message, hint=hint)
        return None, None, (*parsed.problems, wrong)
    (document,) = parsed.documents
    if not document.whole:
        return None, None, parsed.problems
    if not isinstance(document.value, dict):
        wrong = problem_at(document, document.place, code, "this is not a mapping", hint)
        return None, None, (*parsed.problems, wrong)
    try:
        read = model.model_validate(document.value)
    except ValidationError as error:
        return document, None, (*parsed.problems, *worded(document, model, error))
    return document, read, (*parsed.problems, *worded(document, model, None))


class _Reading:
    """One file while its documents are taken in."""

    def __init__(self, name: str, problems: tuple[Problem, ...], *, unreadable: bool) -> None:
        self.name = name
        self.readings: list[LoadedSpec | BrokenSpec] = []
        self.problems = problems
        self.unreadable = unreadable

    def take(self, document: Document) -> None:
        is_spec = _is_tuned_model(document)
        found = _validate(document) if is_spec else ()
        if isinstance(found, TunedModel):
            self.readings.append(LoadedSpec.of(found, self.name, document))
            return
        complaint = _standing(document)
        if complaint is None and not is_spec:
            # Broken before it said what it is: it may have been a spec.
            self.unreadable |= not document.whole or (not document.valid and not isinstance(document.value, dict))
            return
        found = (complaint,) if complaint else found
        self.problems += found
        name = _name(document)
        if name is None:
            self.unreadable = True
            return
        everything = tuple(sorted({*document.problems, *found}))
        place = placed(self.name, document.value_place(("metadata", "name")))
        self.readings.append(BrokenSpec(name, place, everything, _former_names(document)))


def _text(value: Value, key: str) -> str | None:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None


def _is_tuned_model(document: Document) -> bool:
    return _text(document.value, "apiVersion") == API_VERSION and _text(document.value, "kind") == "TunedModel"


def _standing(document: Document) -> Problem | None:
    """What is wrong with the way a document says what it is; None for a TunedModel, and for what is not ours."""
    value = document.value
    if isinstance(value, list) and any(_is_ours(_lowered(item)) for item in value):
        hint = "write each spec as a document of its own, with a line of --- between them"
        return problem_at(document, document.place, "GT007", "specs cannot be in a list", hint)
    if document.whole and value is not None and not isinstance(value, dict):
        hint = "write the spec, or move the file to where `specs:` in gitune.yaml does not look"
        return problem_at(document, document.place, "GT007", "a spec must be a mapping", hint)
    if not isinstance(value, dict) or not _is_ours(lowered := _lowered(value)):
        return None
    version, kind = lowered.get("apiversion"), lowered.get("kind")
    for key in ("apiVersion", "kind"):
        written = next((k for k in value if k.lower() == key.lower()), None)
        if written not in (None, key):
            return problem_at(
                document, document.key_place((written,)), "GT001", f"there is no field {written!r}", f"write {key}"
            )
    # gitune.yaml is read as what it is, also where a pattern for specs fits it.
    if kind == _WRITTEN_BY_US or (kind == "Controller" and document.file == SETTINGS_FILE):
        return None
    if version is None:
        hint = f"add `apiVersion: {API_VERSION}`" + ("" if kind is not None else " and `kind: TunedModel`")
        return problem_at(document, document.place, "GT008", "apiVersion is missing", hint)
    if version != API_VERSION:
        message = "this apiVersion is not one this version of Gitune reads"
        return problem_at(
            document, document.value_place(("apiVersion",)), "GT004", message, f"write `apiVersion: {API_VERSION}`"
        )
    if kind is None:
        return problem_at(document, document.place, "GT006", "kind is missing", "add `kind: TunedModel`")
    return _kind_problem(document, kind)


def _kind_problem(document: Document, kind: Value) -> Problem | None:
    if kind == "TunedModel":
        return None
    place = document.value_place(("kind",))
    if kind == "Controller":
        return problem_at(document, place, "GT005", "a Controller document is not a spec", _CONTROLLER_HINT)
    close = difflib.get_close_matches(str(kind).lower(), [k.lower() for k in _KINDS], 1)
    meant = next((k for k in _KINDS if close and k.lower() == close[0]), _KINDS[0])
    return problem_at(document, place, "GT005", "there is no such kind", f"write `kind: {meant}`")


def _lowered(value: Value) -> dict[str, Value]:
    """A mapping with its keys in lower case, the first of each."""
    found: dict[str, Value] = {}
    for key, item in value.items() if isinstance(value, dict) else ():
        found.setdefault(key.lower(), item)
    return found


def _is_ours(lowered: Mapping[str, Value]) -> bool:
    """Whether a document is meant for Gitune: its group is ours, or nobody's is named and its kind or its shape is."""
    version, kind = lowered.get("apiversion"), lowered.get("kind")
    if isinstance(version, str):
        group = version.split("/")[0].lower()
        if group == GROUP:
            return True
        is_close = bool(difflib.get_close_matches(group, [GROUP], 1, 0.7))
        return is_close and str(kind).lower() == "tunedmodel"
    return str(kind).lower() == "tunedmodel" or _is_shaped_as_ours(lowered)


def _is_shaped_as_ours(lowered: Mapping[str, Value]) -> bool:
    """Whether it would be a spec with the lines it lost: one that is overlooked would look removed."""
    spec = lowered.get("spec")
    return isinstance(spec, dict) and isinstance(lowered.get("metadata"), dict) and not _OURS.isdisjoint(spec)


def _validate(document: Document) -> TunedModel | tuple[Problem, ...]:
    """The model, or what is wrong with it (``()`` where only the text around it is)."""
    error: ValidationError | None = None
    model: TunedModel | None = None
    if document.whole:
        try:
            model = TunedModel.model_validate(document.value)
        except ValidationError as caught:
            error = caught
    found = worded(document, TunedModel, error) if document.whole else ()
    if model is not None:
        found += tuple(_leaving(document, model))
    return model if model is not None and not found and document.valid else found


def _leaving(document: Document, model: TunedModel) -> Iterator[Problem]:
    """Dataset paths that climb out of the repository."""
    paths: list[tuple[str | None, Path]] = [(model.spec.dataset.path, ("spec", "dataset", "path"))]
    if model.spec.evaluation is not None:
        paths.append((model.spec.evaluation.dataset.path, ("spec", "evaluation", "dataset", "path")))
    folder = posixpath.dirname(document.file)
    for path, at in paths:
        if path is not None and (".." in path or ".." in folder) and _leaves(folder, path):
            hint = "keep the dataset in the repository, next to its spec"
            yield problem_at(document, document.value_place(at), "GT035", "the path leaves the repository", hint)


@lru_cache(maxsize=1 << 12)  # many specs share a dataset
def _leaves(folder: str, path: str) -> bool:
    whole = posixpath.normpath(posixpath.join(folder, path))
    return whole == ".." or whole.startswith("../")


def _name(document: Document) -> str | None:
    """The name a broken document was read with; None where it has none that can be one, or more than one."""
    value = document.value
    name = _text(value.get("metadata") if isinstance(value, dict) else None, "name")
    if name is None or not NAME.fullmatch(name):
        return None
    spots = (document.key_place(("metadata",)), document.key_place(("metadata", "name")))
    doubted = any(
        p.code == "GT112" and re.search(r"'(?:metadata|name)'", p.message) and _names(p, spots)
        for p in document.problems
    )
    return None if doubted else name


def _names(problem: Problem, spots: Sequence[Spot]) -> bool:
    return any(f"on line {s.line} " in problem.message for s in spots)


def _former_names(document: Document) -> tuple[str, ...]:
    value = document.value
    metadata = value.get("metadata") if isinstance(value, dict) else None
    names = metadata.get("formerNames") if isinstance(metadata, dict) else None
    return tuple(n for n in names if isinstance(n, str) and NAME.fullmatch(n)) if isinstance(names, list) else ()


def _shared_names(by_name: Mapping[str, Sequence[LoadedSpec | BrokenSpec]]) -> Iterator[Problem]:
    """A problem at each place of a name that is used more than once, naming the other places."""
    for name, readings in by_name.items():
        if len(readings) == 1:
            continue
        places = [name_place(reading) for reading in readings]
        for place in places:
            others = " and ".join(f"{p.file}:{p.line}" for p in places if p != place)
            message = f"the name {name} is used twice: here and at {others}"
            yield place.problem("GT301", message, "give one of them another name")


def _broken(
    by_name: Mapping[str, Sequence[LoadedSpec | BrokenSpec]], shared: Sequence[Problem]
) -> tuple[BrokenSpec, ...]:
    """One broken spec for each name that is broken or shared."""
    return tuple(
        _merged(name, group, shared)
        for name, group in sorted(by_name.items())
        if len(group) > 1 or isinstance(group[0], BrokenSpec)
    )


def _merged(name: str, group: Sequence[LoadedSpec | BrokenSpec], shared: Sequence[Problem]) -> BrokenSpec:
    files = {(p.file, p.line, p.column) for p in map(name_place, group)}
    found = {p for p in shared if (p.file, p.line, p.column) in files}
    former: list[str] = []
    for reading in group:
        if isinstance(reading, BrokenSpec):
            found.update(reading.problems)
            former.extend(reading.former_names)
        else:
            former.extend(reading.former_names)
    return BrokenSpec(name, min(map(name_place, group), key=_order), tuple(sorted(found)), tuple(dict.fromkeys(former)))


def _order(place: Place) -> tuple[str, int, int]:
    return place.file, place.line, place.column


def problem_at(document: Document, spot: Spot, code: str, message: str, hint: str) -> Problem:
    """A problem of a document at a place in it."""
    return Problem(document.file, spot.line, spot.column, code, message, hint=hint)

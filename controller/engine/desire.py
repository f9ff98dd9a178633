"""A tree and the settings to what git asks for: specs loaded, datasets read, references resolved."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Final

from msgspec import Raw

from controller.engine import stored
from controller.engine.caches import Last, SettledSpec, Terms
from controller.engine.downloads import Outside
from controller.engine.examples import Examples, hold_sets, hyperparameters, read_examples, recent_loads
from controller.engine.files import Files, KnownContent
from controller.engine.garbage import without_collections
from controller.errors import Problem, Severity, Unreadable, in_order
from controller.ports import Cache, Downloads, Facts, Ports, Tree
from controller.settings import Settings
from controller.source.paths import collisions, quoted
from controller.specs.codes import with_severities
from controller.specs.loaded import LoadedSpec, SpecFile, SpecText, check_references, order
from controller.specs.loading import joined, read_file, spec_paths
from controller.specs.models import FromSpecSection
from controller.state.desired import BaseModel, Desired, DesiredModel, FromSpec, InvalidModel, Sampling
from controller.state.reasons import Reason
from controller.threads import in_thread

SPEC_LIMIT: Final = 1 << 20  # bytes; the YAML door refuses more
# Specs whose datasets are read together, and what of those may be in memory meanwhile.
_MOST_SPECS: Final = 256
_MOST_BYTES: Final = 16 << 20


@dataclass
class _Reading:
    """What has been read so far, by name."""

    settings: Settings
    problems: list[Problem] = field(default_factory=list)
    models: dict[str, DesiredModel] = field(default_factory=dict)
    invalid: dict[str, InvalidModel] = field(default_factory=dict)

    def judged(self, problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
        """The problems with the severities of the policy, kept; the errors among them are returned."""
        mine = with_severities(problems, self.settings.policy.checks)
        self.problems.extend(mine)
        return tuple(problem for problem in mine if problem.severity is Severity.ERROR)


class Kept:
    """What was read of the last tree, for the next: specs and datasets by their content, wherever a commit leaves them.

    Whatever looks at several of them together is done anew each time: names, bases, providers, severities. With a
    ``cache`` it begins with what another process left there.
    """

    def __init__(self, cache: Cache | None = None) -> None:
        self.specs: Last[tuple[str, str], SpecFile] = Last()
        self.settled: Last[str, SettledSpec] = Last()
        self.loads = recent_loads()
        self._cache = cache
        self._stored: dict[str, Raw] | None = None
        self._new: set[str] = set()  # the paths of which something else is to be stored

    def spec_file(self, path: str, content: str, files: Files, terms: Mapping[str, Terms]) -> SpecFile | None:
        """What a file holds, where it is known."""
        if not content:
            return None
        if (known := self.specs.get((path, content))) is not None:
            return known
        if self._stored is None:
            self._stored = stored.read(self._cache.load()) if self._cache is not None else {}
        if (raw := self._stored.get(path)) is None:
            return None
        found = stored.Found(path, raw)
        if found.content != content:
            return None
        file = found.file(partial(_reread, files))
        self.specs.put((path, content), file)
        for one in found.settled(file, files, terms):
            self.settled.put(one.spec.name, one)
        return file

    def put_file(self, path: str, content: str, file: SpecFile) -> None:
        """Keep what a file held."""
        self.specs.put((path, content), file)
        self._new.add(path)

    def put_settled(self, one: SettledSpec) -> None:
        """Keep what a spec came to."""
        self.settled.put(one.spec.name, one)
        self._new.add(one.spec.file)

    def turn(self, terms: Mapping[str, Terms]) -> None:
        """A tree was read whole: what it had no use for is forgotten. ``terms`` by their digest."""
        self.specs.turn()
        self.settled.turn()
        if self._new and self._cache is not None:
            self._save(self._cache, {one.key: digest for digest, one in terms.items()})
        self._new.clear()

    def _save(self, cache: Cache, terms: Mapping[str, str]) -> None:
        before, now = self._stored or {}, dict[str, Raw]()
        for (path, content), file in self.specs.last().items():
            if path in self._new:
                data = stored.encode(file, content, self.settled.last(), terms)
                if data is not None:
                    now[path] = Raw(data)
            elif path in before:
                now[path] = before[path]
        self._stored = now
        cache.save(stored.write(now))


def _reread(files: Files, path: str, content: str, name: str) -> SpecText:
    """A spec that was known without its file, from its file."""
    held = files.hold(path, SPEC_LIMIT)
    if held.content == content:
        for spec in read_file(path, files.read(held, SPEC_LIMIT)).readings:
            if isinstance(spec, LoadedSpec) and spec.name == name:
                return spec.read()
    raise Unreadable(f"{quoted(path)} changed while it was read", code="GT407", hint="Try again.")


def read_desired(
    tree: Tree,
    settings: Settings,
    facts: Mapping[str, Facts],
    kept: Kept | None = None,
    outside: Outside | None = None,
) -> Desired:
    """Everything one tree asks for, every problem of every file included. Raises `SourceError`.

    ``outside`` is told what of it is not on this machine; nothing is fetched here.
    """
    with without_collections():
        return _read(tree, settings, facts, kept or Kept(), outside or Outside(None))


def _read(tree: Tree, settings: Settings, facts: Mapping[str, Facts], kept: Kept, outside: Outside) -> Desired:
    entries = tree.entries()
    paths = set(spec_paths(settings.specs, (entry.path for entry in entries)))
    reading = _Reading(settings)
    files = Files(tree, entries, outside)
    terms = {key: Terms(key, one.type, facts[key]) for key, one in settings.providers.items()}
    by_digest = {stored.digest(one): one for one in terms.values()}
    found, unread = _spec_files(_Known(files, kept, by_digest), paths, reading)
    reading.judged(collisions(entry for entry in entries if entry.path in paths))
    loaded = check_references(joined(found), settings)
    reading.judged(loaded.problems)
    for broken in loaded.broken:
        reading.invalid[broken.name] = InvalidModel(
            broken.name, broken.place, Reason.INVALID_SPEC, broken.problems, broken.former_names
        )
    settled = _settled(loaded.specs, terms, files, kept, settings.default_provider)
    for spec in order(loaded.specs):
        _take(spec, settled[spec.name], reading)
    kept.turn(by_digest)
    return Desired(
        revision=tree.revision,
        models=tuple(reading.models[name] for name in sorted(reading.models)),
        invalid=tuple(reading.invalid[name] for name in sorted(reading.invalid)),
        problems=in_order(reading.problems),
        complete=not unread and not loaded.unreadable,
    )


async def desired_of(ports: Ports, tree: Tree, settings: Settings) -> Desired:
    """As `read_desired`, as these ports have it read: in a thread where they do not say.

    What it needs from outside of the tree and is not here is fetched.
    """
    if ports.reading is not None:
        return await ports.reading(tree, settings, ports.facts, ports.downloads)
    return await _fetched(tree, settings, ports.facts, ports.downloads, Kept(ports.cache))


async def _fetched(
    tree: Tree, settings: Settings, facts: Mapping[str, Facts], downloads: Downloads | None, kept: Kept
) -> Desired:
    """What was missing is fetched, and all read again: of what was there only what rests on that is read anew."""
    outside = Outside(downloads)
    desired = await in_thread(read_desired, tree, settings, facts, kept, outside)
    if not await outside.fetch():
        return desired
    return await in_thread(read_desired, tree, settings, facts, kept, outside)


@dataclass(frozen=True, slots=True)
class _Known:
    """The files of a tree with what is known of them."""

    files: Files
    kept: Kept
    terms: Mapping[str, Terms]

    def spec_file(self, path: str, content: str) -> SpecFile | None:
        """What a spec file holds, where that is known."""
        return self.kept.spec_file(path, content, self.files, self.terms)


def _spec_files(known: _Known, paths: set[str], reading: _Reading) -> tuple[list[SpecFile], bool]:
    """What every spec file holds by itself, and whether one could not be read."""
    found: list[SpecFile] = []
    unread = False
    wanted: list[str] = []
    for path in sorted(paths):
        if (file := known.spec_file(path, known.files.content(path, SPEC_LIMIT))) is not None:
            found.append(file)
        else:
            wanted.append(path)
    for path, held in zip(wanted, known.files.hold_many(wanted, SPEC_LIMIT), strict=True):
        if isinstance(held, Unreadable):
            unread = True
            reading.judged((Problem(path, 0, 0, held.code, held.message, hint=held.hint),))
        else:
            if (file := known.spec_file(path, held.content)) is None:
                file = read_file(path, known.files.read(held, SPEC_LIMIT))
                known.kept.put_file(path, held.content, file)
            found.append(file)
    return found, unread


def _settled(
    specs: Sequence[LoadedSpec], terms: Mapping[str, Terms], files: Files, kept: Kept, default: str
) -> dict[str, SettledSpec]:
    """What each spec and its datasets come to; read anew only where something differs, many files at a time."""
    settled: dict[str, SettledSpec] = {}
    left: list[_Case] = []
    held = 0
    for spec in specs:
        case = _Case(spec, terms[spec.provider or default], hold_sets(spec, files))
        known = kept.settled.get(spec.name)
        if known is not None and case.contents is not None and known.stands(spec, case.terms, case.contents):
            settled[spec.name] = known
            continue
        left.append(case)
        held += case.bytes
        if len(left) == _MOST_SPECS or held > _MOST_BYTES:
            settled.update(_settled_anew(left, files, kept))
            left, held = [], 0
    settled.update(_settled_anew(left, files, kept))
    return settled


def _settled_anew(cases: Sequence[_Case], files: Files, kept: Kept) -> Iterator[tuple[str, SettledSpec]]:
    loaded = {(key.path, key.content) for key in kept.loads}
    held = (one for case in cases for one in case.held if isinstance(one, KnownContent))
    files.read_ahead(one for one in held if (one.path, one.content) not in loaded)
    for case in cases:
        found = read_examples(case.spec, case.held, files, case.terms.facts, kept.loads)
        made = _settle(case, found)
        if case.contents is not None and found.reason is not Reason.DATASET_UNREACHABLE:
            kept.put_settled(made)
        yield case.spec.name, made


@dataclass(frozen=True, slots=True)
class _Case:
    """A spec with the files of its datasets."""

    spec: LoadedSpec
    terms: Terms
    held: tuple[KnownContent | Unreadable, ...]

    @property
    def bytes(self) -> int:
        """How much of the files is in memory already."""
        return sum(len(one.data) for one in self.held if isinstance(one, KnownContent) and one.data is not None)

    @property
    def contents(self) -> tuple[str, ...] | None:
        """The names of what the files hold; None where one cannot be read."""
        known = tuple(one.content for one in self.held if isinstance(one, KnownContent))
        return known if len(known) == len(self.held) else None


def _settle(case: _Case, found: Examples) -> SettledSpec:
    spec, terms = case.spec, case.terms
    misnamed = _misnamed(spec, terms.facts)
    return SettledSpec(
        spec,
        terms,
        case.contents or (),
        _model(spec, found, terms) if found.training is not None else None,
        (*misnamed, *found.problems),
        Reason.INVALID_SPEC if misnamed else found.reason,
    )


def _take(spec: LoadedSpec, found: SettledSpec, reading: _Reading) -> None:
    """One spec with its datasets to a desired model, or to the reason why not."""
    errors = reading.judged(found.problems)
    source = reading.models.get(spec.base) if spec.base is not None else None
    if spec.base is not None and source is None:
        where = spec.spot(("spec", "baseModel"))
        problem = where.problem("GT308", "the spec it is tuned on cannot be used", "fix that spec first")
        errors = (*errors, *reading.judged((problem,)))
        reading.invalid[spec.name] = _invalid(spec, Reason.INVALID_SPEC, errors)
    elif errors or found.model is None:
        # Where nothing is known to be wrong with it, what nobody looked at is why it cannot be used.
        reading.invalid[spec.name] = _invalid(spec, found.reason, errors or found.problems)
    elif source is not None:
        base = FromSpec(source.name, source.fingerprint, source.attempt)
        reading.models[spec.name] = replace(found.model, base=base)
    else:
        reading.models[spec.name] = found.model


def _invalid(spec: LoadedSpec, reason: Reason, errors: tuple[Problem, ...]) -> InvalidModel:
    return InvalidModel(spec.name, spec.place, reason, errors, spec.former_names)


def _misnamed(spec: LoadedSpec, facts: Facts) -> tuple[Problem, ...]:
    said, names = spec.model.spec.base_model, facts.base_models
    if isinstance(said, FromSpecSection) or re.fullmatch(names.pattern, said):
        return ()
    message = "this is not how the provider names a base model"
    return (spec.spot(("spec", "baseModel")).problem("GT037", message, names.hint),)


def _model(spec: LoadedSpec, found: Examples, terms: Terms) -> DesiredModel:
    assert found.training is not None, "the caller has looked"  # noqa: S101 - narrows for the type checker
    said, meta = spec.model.spec, spec.model.metadata
    base = BaseModel(said.base_model) if isinstance(said.base_model, str) else FromSpec(said.base_model.from_, "", 0)
    return DesiredModel(
        name=spec.name,
        place=spec.spot(("metadata", "name")),
        provider=terms.key,
        provider_type=terms.type,
        base=base,
        hyperparameters=hyperparameters(spec),
        dataset=found.training,
        start=terms.facts.start,
        attempt=said.attempt,
        former_names=meta.former_names,
        labels=MappingProxyType(dict(meta.labels)),
        display_name=said.display_name,
        description=said.description,
        sampling=Sampling(said.sampling.temperature, said.sampling.top_p, said.sampling.top_k),
        suspend=said.suspend,
        when_superseded=said.when_superseded,
        deletion_policy=said.deletion_policy,
        run_history_limit=said.run_history_limit,
        max_duration=said.limits.seconds,
        evaluation=found.evaluation,
    )


@dataclass(frozen=True, slots=True)
class _Kept:
    revision: str
    settings: Settings
    facts: Mapping[str, Facts]
    desired: Desired


class Readings:
    """The last reading of a commit. A commit never says anything else, so its reading need not be taken again.

    Of another commit only what differs is read.
    """

    def __init__(self, cache: Cache | None = None) -> None:
        self._kept: _Kept | None = None
        self._pieces = Kept(cache)

    async def read(
        self, tree: Tree, settings: Settings, facts: Mapping[str, Facts], downloads: Downloads | None = None
    ) -> Desired:
        """As `desired_of`. What could not be read whole is not kept: it may be there the next time."""
        kept, revision = self._kept, tree.revision
        if kept is not None and (kept.revision, kept.settings, kept.facts) == (revision, settings, facts):
            return kept.desired
        desired = await _fetched(tree, settings, facts, downloads, self._pieces)
        if revision is not None and desired.complete and not _may_come(desired):
            self._kept = _Kept(revision, settings, dict(facts), desired)
        return desired


def _may_come(desired: Desired) -> bool:
    """Whether something was not there that a fetch may bring: a partial clone grows."""
    return any(model.reason is Reason.DATASET_UNREACHABLE for model in desired.invalid)

"""A tree and the settings to what git asks for: specs loaded, datasets read, references resolved."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from controller.engine.caches import Last
from controller.engine.examples import Examples, Loads, hold_sets, hyperparameters, read_examples, recent_loads
from controller.engine.files import Files, KnownContent
from controller.errors import Problem, Severity, Unreadable
from controller.ports import Facts, Tree
from controller.settings import Settings
from controller.source.paths import collisions
from controller.specs.codes import with_severities
from controller.specs.loaded import LoadedSpec, SpecFile, check_references, order
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


@dataclass(frozen=True, slots=True)
class Terms:
    """What of the settings and of a provider decides what its specs come to: its key, its type and its facts."""

    key: str
    type: str
    facts: Facts


@dataclass(frozen=True, slots=True)
class _Settled:
    """What one spec and the contents of its datasets came to, whatever the other specs and a team's severities say.

    ``model`` is None where the datasets cannot be used; what it is tuned on is told by the other specs.
    """

    spec: LoadedSpec
    terms: Terms
    contents: tuple[str, ...]
    model: DesiredModel | None
    problems: tuple[Problem, ...]
    reason: Reason

    def stands(self, spec: LoadedSpec, terms: Terms, contents: tuple[str, ...]) -> bool:
        """Whether they would come to the same now."""
        return self.spec is spec and self.contents == contents and self.terms == terms


class Kept:
    """What was read of the last tree, for the next: specs and datasets by their content, wherever a commit leaves them.

    Whatever looks at several of them together is done anew each time: names, bases, providers, severities.
    """

    def __init__(self) -> None:
        self.specs: Last[tuple[str, str], SpecFile] = Last()
        self.settled: Last[str, _Settled] = Last()
        self.loads = recent_loads()

    def turn(self) -> None:
        """A tree was read whole: what it had no use for is forgotten."""
        self.specs.turn()
        self.settled.turn()


def read_desired(tree: Tree, settings: Settings, facts: Mapping[str, Facts], kept: Kept | None = None) -> Desired:
    """Everything one tree asks for, every problem of every file included. Raises `SourceError`."""
    kept = kept or Kept()
    entries = tree.entries()
    paths = set(spec_paths(settings.specs, (entry.path for entry in entries)))
    reading = _Reading(settings)
    files = Files(tree, entries)
    found, unread = _spec_files(files, paths, kept, reading)
    reading.judged(collisions(entry for entry in entries if entry.path in paths))
    loaded = check_references(joined(found), settings)
    reading.judged(loaded.problems)
    for broken in loaded.broken:
        reading.invalid[broken.name] = InvalidModel(
            broken.name, broken.place, Reason.INVALID_SPEC, broken.problems, broken.former_names
        )
    terms = {key: Terms(key, one.type, facts[key]) for key, one in settings.providers.items()}
    settled = _settled(loaded.specs, terms, files, kept, settings.default_provider)
    for spec in order(loaded.specs):
        _take(spec, settled[spec.name], reading)
    kept.turn()
    return Desired(
        revision=tree.revision,
        models=tuple(reading.models[name] for name in sorted(reading.models)),
        invalid=tuple(reading.invalid[name] for name in sorted(reading.invalid)),
        problems=tuple(sorted(set(reading.problems))),
        complete=not unread and not loaded.unreadable,
    )


async def desired_of(tree: Tree, settings: Settings, facts: Mapping[str, Facts]) -> Desired:
    """As `read_desired`, in a thread."""
    return await in_thread(read_desired, tree, settings, facts)


def _spec_files(files: Files, paths: set[str], kept: Kept, reading: _Reading) -> tuple[list[SpecFile], bool]:
    """What every spec file holds by itself, and whether one could not be read."""
    found: list[SpecFile] = []
    unread = False
    wanted: list[str] = []
    for path in sorted(paths):
        known = kept.specs.get((path, files.content(path, SPEC_LIMIT)))
        if known is not None:
            found.append(known)
        else:
            wanted.append(path)
    for path, held in zip(wanted, files.hold_many(wanted, SPEC_LIMIT), strict=True):
        if isinstance(held, Unreadable):
            unread = True
            reading.judged((Problem(path, 0, 0, held.code, held.message, hint=held.hint),))
        else:
            key = (path, held.content)
            if (known := kept.specs.get(key)) is None:
                known = read_file(path, files.read(held, SPEC_LIMIT))
                kept.specs.put(key, known)
            found.append(known)
    return found, unread


def _settled(
    specs: Sequence[LoadedSpec], terms: Mapping[str, Terms], files: Files, kept: Kept, default: str
) -> dict[str, _Settled]:
    """What each spec and its datasets come to; read anew only where something differs, many files at a time."""
    settled: dict[str, _Settled] = {}
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


def _settled_anew(cases: Sequence[_Case], files: Files, kept: Kept) -> Iterator[tuple[str, _Settled]]:
    loaded = {(key.path, key.content) for key in kept.loads}
    held = (one for case in cases for one in case.held if isinstance(one, KnownContent))
    files.read_ahead(one for one in held if (one.path, one.content) not in loaded)
    for case in cases:
        made = _settle(case, files, kept.loads)
        if case.contents is not None and made.reason is not Reason.DATASET_UNREACHABLE:
            kept.settled.put(case.spec.name, made)
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


def _settle(case: _Case, files: Files, loads: Loads) -> _Settled:
    spec, terms = case.spec, case.terms
    found = read_examples(spec, case.held, files, terms.facts, loads)
    misnamed = _misnamed(spec, terms.facts)
    return _Settled(
        spec,
        terms,
        case.contents or (),
        _model(spec, found, terms) if found.training is not None else None,
        (*misnamed, *found.problems),
        Reason.INVALID_SPEC if misnamed else found.reason,
    )


def _take(spec: LoadedSpec, found: _Settled, reading: _Reading) -> None:
    """One spec with its datasets to a desired model, or to the reason why not."""
    errors = reading.judged(found.problems)
    source = reading.models.get(spec.base) if spec.base is not None else None
    if spec.base is not None and source is None:
        where = spec.spot(("spec", "baseModel"))
        problem = where.problem("GT308", "the spec it is tuned on cannot be used", "fix that spec first")
        errors = (*errors, *reading.judged((problem,)))
        reading.invalid[spec.name] = _invalid(spec, Reason.INVALID_SPEC, errors)
    elif errors or found.model is None:
        reading.invalid[spec.name] = _invalid(spec, found.reason, errors)
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

    def __init__(self) -> None:
        self._kept: _Kept | None = None
        self._pieces = Kept()

    async def read(self, tree: Tree, settings: Settings, facts: Mapping[str, Facts]) -> Desired:
        """As `desired_of`. What could not be read whole is not kept: it may be there the next time."""
        kept, revision = self._kept, tree.revision
        if kept is not None and (kept.revision, kept.settings, kept.facts) == (revision, settings, facts):
            return kept.desired
        desired = await in_thread(read_desired, tree, settings, facts, self._pieces)
        if revision is not None and desired.complete and not _may_come(desired):
            self._kept = _Kept(revision, settings, dict(facts), desired)
        return desired


def _may_come(desired: Desired) -> bool:
    """Whether something was not there that a fetch may bring: a partial clone grows."""
    return any(model.reason is Reason.DATASET_UNREACHABLE for model in desired.invalid)

"""A tree and the settings to what git asks for: specs loaded, datasets read, references resolved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from controller.engine.caches import Last
from controller.engine.examples import Examples, Files, Sets, hyperparameters, read_examples
from controller.errors import Problem, Severity, Unreadable
from controller.ports import Facts, Tree
from controller.settings import Settings
from controller.source.paths import collisions
from controller.specs.codes import with_severities
from controller.specs.loaded import LoadedSpec, SpecFile, check_references, order
from controller.specs.loading import joined, read_file, spec_paths
from controller.specs.models import FromSpecSection
from controller.state.desired import Base, BaseModel, Desired, DesiredModel, FromSpec, InvalidModel, Sampling
from controller.state.reasons import Reason
from controller.threads import in_thread

SPEC_LIMIT = 1 << 20  # bytes; the YAML door refuses more


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

    Whatever looks at several of them together is done anew each time: names, bases, providers, severities.
    """

    def __init__(self) -> None:
        self.specs: Last[tuple[str, str], SpecFile] = Last()
        self.sets = Sets()

    def turn(self) -> None:
        """A tree was read whole: what it had no use for is forgotten."""
        self.specs.turn()
        self.sets.made.turn()


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
    for spec in order(loaded.specs):
        key = spec.model.spec.provider or settings.default_provider
        _settle(spec, read_examples(spec, files, facts[key], kept.sets), facts[key], reading)
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
    for path in sorted(paths):
        try:
            held = files.hold(path, SPEC_LIMIT)
            known = kept.specs.get((path, held.content))
            if known is None:
                known = read_file(path, files.read(held, SPEC_LIMIT))
                kept.specs.put((path, held.content), known)
            found.append(known)
        except Unreadable as error:
            unread = True
            reading.judged((Problem(path, 0, 0, error.code, error.message, hint=error.hint),))
    return found, unread


def _settle(spec: LoadedSpec, found: Examples, facts: Facts, reading: _Reading) -> None:
    """One spec with its datasets to a desired model, or to the reason why not."""
    misnamed = _misnamed(spec, facts)
    errors = reading.judged((*misnamed, *found.problems))
    base = _base(spec, reading)
    place, former = spec.place, spec.model.metadata.former_names
    if base is None:
        where = spec.spot(("spec", "baseModel"))
        problem = where.problem("GT308", "the spec it is tuned on cannot be used", "fix that spec first")
        errors = (*errors, *reading.judged((problem,)))
        reading.invalid[spec.name] = InvalidModel(spec.name, place, Reason.INVALID_SPEC, errors, former)
    elif errors or found.training is None:
        reason = Reason.INVALID_SPEC if misnamed else found.reason
        reading.invalid[spec.name] = InvalidModel(spec.name, place, reason, errors, former)
    else:
        reading.models[spec.name] = _model(spec, found, base, facts, reading.settings)


def _misnamed(spec: LoadedSpec, facts: Facts) -> tuple[Problem, ...]:
    said, names = spec.model.spec.base_model, facts.base_models
    if isinstance(said, FromSpecSection) or re.fullmatch(names.pattern, said):
        return ()
    message = "this is not how the provider names a base model"
    return (spec.spot(("spec", "baseModel")).problem("GT037", message, names.hint),)


def _base(spec: LoadedSpec, reading: _Reading) -> Base | None:
    said = spec.model.spec.base_model
    if not isinstance(said, FromSpecSection):
        return BaseModel(said)
    source = reading.models.get(said.from_)
    return FromSpec(source.name, source.fingerprint, source.attempt) if source else None


def _model(spec: LoadedSpec, found: Examples, base: Base, facts: Facts, settings: Settings) -> DesiredModel:
    assert found.training is not None, "the caller has looked"  # noqa: S101 - narrows for the type checker
    said, meta = spec.model.spec, spec.model.metadata
    key = said.provider or settings.default_provider
    return DesiredModel(
        name=spec.name,
        place=spec.spot(("metadata", "name")),
        provider=key,
        provider_type=settings.providers[key].type,
        base=base,
        hyperparameters=hyperparameters(spec),
        dataset=found.training,
        start=facts.start,
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

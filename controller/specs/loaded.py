"""What loading gives, valid specs and broken ones, and which of them refer to what is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from controller.documents import Document, Path, Spot
from controller.errors import Problem
from controller.settings import Settings
from controller.specs.data_uri import DataPin
from controller.specs.models import FromSpecSection, TunedModel
from controller.state.desired import Place


@dataclass(frozen=True, slots=True)
class SpecText:
    """The fields of a valid spec, and where each of them stands."""

    model: TunedModel
    document: Document


@dataclass(frozen=True, slots=True)
class LoadedSpec:
    """One valid spec: what ties it to other specs and to files, and the rest, which may have to be read for it.

    ``base`` is the spec it is tuned on. ``datasets`` are the paths as written, or what is pinned at a uri, that of the
    training set last. ``read`` raises `Unreadable` where its file is not what it was any more.
    """

    name: str
    file: str
    former_names: tuple[str, ...]
    provider: str | None
    base: str | None
    datasets: tuple[str | DataPin, ...]
    read: Callable[[], SpecText] = field(repr=False, compare=False)

    @classmethod
    def of(cls, model: TunedModel, file: str, document: Document) -> LoadedSpec:
        """The spec of a document that was just read."""
        said, text = model.spec, SpecText(model, document)
        base = said.base_model.from_ if isinstance(said.base_model, FromSpecSection) else None
        sets = (*((said.evaluation.dataset,) if said.evaluation else ()), said.dataset)
        paths = tuple(one.pin or one.path or "" for one in sets)
        return cls(model.metadata.name, file, model.metadata.former_names, said.provider, base, paths, lambda: text)

    @property
    def model(self) -> TunedModel:
        """Its fields."""
        return self.read().model

    @property
    def document(self) -> Document:
        """Where they stand."""
        return self.read().document

    def spot(self, path: Path = ()) -> Place:
        """The place of a value by its path as written (``("spec", "dataset", "path")``); absent ones: the nearest."""
        return placed(self.file, self.document.value_place(path))

    @property
    def place(self) -> Place:
        """The place of the document."""
        return placed(self.file, self.document.place)


@dataclass(frozen=True, slots=True)
class BrokenSpec:
    """A spec that is there but cannot be used. It counts as present, as do the ``former_names`` it could be read with.

    One for each name, also where several documents bear it.
    """

    name: str
    place: Place
    problems: tuple[Problem, ...]
    former_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SpecFile:
    """What one file holds by itself: the same bytes under the same path always give the same.

    ``unreadable`` says that something in it has, or may have, no readable name.
    """

    name: str
    readings: tuple[LoadedSpec | BrokenSpec, ...] = ()
    problems: tuple[Problem, ...] = ()
    unreadable: bool = False


@dataclass(frozen=True, slots=True)
class LoadedSpecs:
    """All specs of one revision, by name, and every problem of every file.

    ``unreadable`` are files that hold, or may hold, a spec whose name could not be read: while there is one, no spec
    may be taken for removed.
    """

    specs: tuple[LoadedSpec, ...] = ()
    problems: tuple[Problem, ...] = ()
    broken: tuple[BrokenSpec, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def by_name(self) -> Mapping[str, LoadedSpec]:
        """The valid specs by their name."""
        return {s.name: s for s in self.specs}


def placed(file: str, spot: Spot) -> Place:
    """A place in a document as a place in the repository."""
    return Place(file, spot.line, spot.column)


def name_place(spec: LoadedSpec | BrokenSpec) -> Place:
    """Where a spec says its name."""
    return spec.spot(("metadata", "name")) if isinstance(spec, LoadedSpec) else spec.place


_FROM: Path = ("spec", "baseModel", "from")


def check_references(loaded: LoadedSpecs, settings: Settings) -> LoadedSpecs:
    """The same specs, those that name a provider or a base spec that will not do moved among the broken ones."""
    loaded = setting_aside(loaded, _provider_problems(loaded, settings))
    loaded = setting_aside(loaded, _base_problems(loaded, settings))
    while found := list(_fallen_bases(loaded)):
        loaded = setting_aside(loaded, found)
    return loaded


def order(specs: Iterable[LoadedSpec]) -> tuple[LoadedSpec, ...]:
    """The specs with every base before what is tuned on it, else by name; what is in a circle comes last."""
    left = {s.name: s for s in sorted(specs, key=lambda s: s.name)}
    done: list[LoadedSpec] = []
    while ready := [s for s in left.values() if s.base not in left]:
        done.extend(ready)
        for spec in ready:
            del left[spec.name]
    return (*done, *left.values())


def setting_aside(loaded: LoadedSpecs, found: Iterable[tuple[LoadedSpec, Problem]]) -> LoadedSpecs:
    """The same specs, those with a problem moved among the broken ones."""
    by_name: dict[str, list[Problem]] = {}
    for spec, problem in found:
        by_name.setdefault(spec.name, []).append(problem)
    if not by_name:
        return loaded
    fallen = tuple(
        BrokenSpec(
            s.name,
            name_place(s),
            tuple(sorted({*s.document.problems, *by_name[s.name]})),
            s.former_names,
        )
        for s in loaded.specs
        if s.name in by_name
    )
    return LoadedSpecs(
        tuple(s for s in loaded.specs if s.name not in by_name),
        tuple(sorted({*loaded.problems, *(p for ps in by_name.values() for p in ps)})),
        tuple(sorted((*loaded.broken, *fallen), key=lambda b: b.name)),
        loaded.unreadable,
    )


def former_name_problems(loaded: LoadedSpecs) -> Iterator[tuple[LoadedSpec, Problem]]:
    """Former names that are in use: by another spec, by the spec itself, or by two specs at once."""
    renamed = [s for s in loaded.specs if s.former_names]
    if not renamed:
        return
    owners: dict[str, LoadedSpec | BrokenSpec] = {b.name: b for b in loaded.broken}
    owners.update(loaded.by_name)
    claims = Counter(f for s in renamed for f in set(s.former_names))
    claims.update(f for b in loaded.broken for f in set(b.former_names))
    for spec in renamed:
        for number, name in enumerate(spec.former_names):
            if name in owners:
                owner = name_place(owners[name])
                message = f"the former name {name} is the name of a spec at {owner.file}:{owner.line}"
            elif claims[name] > 1:
                message = f"the former name {name} is claimed by more than one spec"
            elif name in spec.former_names[:number]:
                message = f"the former name {name} is listed twice"
            else:
                continue
            hint = "remove it from formerNames, unless the other one is to give the name up"
            yield spec, spec.spot(("metadata", "formerNames", number)).problem("GT302", message, hint)


def _provider_problems(loaded: LoadedSpecs, settings: Settings) -> Iterator[tuple[LoadedSpec, Problem]]:
    known = ", ".join(sorted(settings.providers))
    for spec in loaded.specs:
        provider = spec.provider
        if provider is not None and provider not in settings.providers:
            message = f"there is no provider {provider} in gitune.yaml"
            yield (
                spec,
                spec.spot(("spec", "provider")).problem("GT307", message, f"the providers in gitune.yaml: {known}"),
            )


def _base_problems(loaded: LoadedSpecs, settings: Settings) -> Iterator[tuple[LoadedSpec, Problem]]:
    by_name = loaded.by_name
    present = {*by_name, *(b.name for b in loaded.broken)}
    circles = _circles(by_name)
    for spec in loaded.specs:
        base = spec.base
        if base is None:
            continue
        if base == spec.name:
            yield spec, spec.spot(_FROM).problem("GT304", f"{base} is to be tuned on itself", "name another spec")
        elif base not in present:
            names = ", ".join(sorted(present - {spec.name})[:10])
            hint = (
                f"the other specs are {names}"
                if names
                else "write a spec of that name, or take a `models/…` as the base"
            )
            yield spec, spec.spot(_FROM).problem("GT303", f"there is no spec {base}", hint)
        elif spec.name in circles:
            message = f"the specs are tuned on each other in a circle: {circles[spec.name]}"
            hint = "give one of them a model of the provider as its base"
            yield spec, spec.spot(_FROM).problem("GT305", message, hint)
        elif base in by_name and _provider(by_name[base], settings) != _provider(spec, settings):
            message = (
                f"{base} is tuned by {_provider(by_name[base], settings)}, this spec by {_provider(spec, settings)}"
            )
            yield spec, spec.spot(_FROM).problem("GT306", message, "a model can only be tuned further where it is")


def _circles(by_name: Mapping[str, LoadedSpec]) -> dict[str, str]:
    """For each spec in a circle the whole circle, each member with its place. A spec has one base at the most."""
    found: dict[str, str] = {}
    seen: set[str] = set()
    for start in sorted(by_name):
        trail: list[str] = []
        name: str | None = start
        while name is not None and name in by_name and name not in seen:
            seen.add(name)
            trail.append(name)
            name = by_name[name].base
        if name in trail and (members := trail[trail.index(name) :])[1:]:
            text = " → ".join(_member(by_name[m]) for m in (*members, members[0]))
            found.update(dict.fromkeys(members, text))
    return found


def _member(spec: LoadedSpec) -> str:
    place = spec.spot(_FROM)
    return f"{spec.name} ({place.file}:{place.line})"


def _fallen_bases(loaded: LoadedSpecs) -> Iterator[tuple[LoadedSpec, Problem]]:
    broken = {b.name: b for b in loaded.broken}
    for spec in loaded.specs:
        if (base := spec.base) in broken:
            place = broken[base].place
            message = f"its base spec {base} at {place.file}:{place.line} is not valid"
            yield spec, spec.spot(_FROM).problem("GT308", message, f"fix {base} first")


def _provider(spec: LoadedSpec, settings: Settings) -> str:
    return spec.provider or settings.default_provider

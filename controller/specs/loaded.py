"""What loading gives: valid specs with their places, broken ones that still have a name, and files without one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from controller.documents import Document, Path, Spot
from controller.errors import Problem
from controller.specs.models import TunedModel
from controller.state.desired import Place


@dataclass(frozen=True, slots=True)
class LoadedSpec:
    """One valid spec: its fields in ``model``, and where each of them stands."""

    name: str
    model: TunedModel
    file: str
    document: Document

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

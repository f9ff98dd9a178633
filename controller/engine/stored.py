"""What spec files and their datasets came to, to bytes that another process may read, and back, a file at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from functools import partial
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias, get_type_hints

import msgspec

from controller import dataset
from controller.dataset.pointers import LfsPointer
from controller.engine.caches import SettledSpec, Terms
from controller.engine.examples import DATASET_LIMIT
from controller.engine.files import DatasetBytes, Files, KnownContent, pinned
from controller.errors import Problem
from controller.ports import DataPin, Wanted
from controller.source.paths import resolve
from controller.specs.loaded import LoadedSpec, SpecFile, SpecText
from controller.state.desired import BaseModel, Dataset, DesiredModel, Evaluation, FromSpec
from controller.state.reasons import Reason

_SET_FIELDS: Final = tuple(one.name for one in fields(Dataset) if one.name != "examples")
_MODEL_FIELDS: Final = tuple(
    one.name for one in fields(DesiredModel) if one.name not in {"base", "dataset", "evaluation"}
)


def _struct(name: str, of: type, names: Iterable[str], *more: tuple[str, object]) -> type[msgspec.Struct]:
    """A struct of some fields of a class: one that is added to the class is stored without a word here."""
    hints = get_type_hints(of)
    pairs: list[tuple[str, Any]] = [*((field, hints[field]) for field in names), *more]
    return msgspec.defstruct(name, pairs, frozen=True, array_like=True, gc=False)


if TYPE_CHECKING:
    _Set: TypeAlias = Any
    _Model: TypeAlias = Any
else:
    # No row: a dataset is what its rows came to, and how they are laid out, so that they can be read again.
    _Set = _struct("_Set", Dataset, _SET_FIELDS, ("layout", dataset.Layout), ("pointer", LfsPointer | None))
    _judged = ("evaluation", tuple[_Set, str, float] | None)
    _Model = _struct("_Model", DesiredModel, _MODEL_FIELDS, ("base", str | None), ("dataset", _Set), _judged)
_set_values = attrgetter(*_SET_FIELDS)
_model_values = attrgetter(*_MODEL_FIELDS)


class _Spec(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A spec and, from ``terms`` on, what it and its datasets came to; ``terms`` "" where that is not known."""

    name: str
    former_names: tuple[str, ...]
    provider: str | None
    base: str | None
    datasets: tuple[str | DataPin, ...]
    terms: str = ""
    contents: tuple[str, ...] = ()
    model: _Model | None = None
    problems: tuple[Problem, ...] = ()
    reason: Reason = Reason.INVALID_DATASET


class _File(msgspec.Struct, frozen=True, array_like=True, gc=False):
    content: str
    specs: tuple[_Spec, ...]


def _plain(value: object) -> object:
    if isinstance(value, MappingProxyType):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} cannot be stored")


_encoder = msgspec.msgpack.Encoder(enc_hook=_plain)
_files = msgspec.msgpack.Decoder(dict[str, msgspec.Raw])
_file = msgspec.msgpack.Decoder(_File)


def digest(terms: Terms) -> str:
    """What stands for the terms of a provider in another process."""
    return hashlib.sha256(msgspec.json.encode(terms, order="deterministic")).hexdigest()[:32]


def read(data: bytes | None) -> dict[str, msgspec.Raw]:
    """What is stored of each spec file, by its path; nothing where the bytes are something else."""
    try:
        return _files.decode(data) if data else {}
    except msgspec.DecodeError:
        return {}


def write(entries: Mapping[str, msgspec.Raw]) -> bytes:
    """The bytes that `read` takes."""
    return _encoder.encode(entries)


def encode(file: SpecFile, content: str, settled: Mapping[str, SettledSpec], terms: Mapping[str, str]) -> bytes | None:
    """What one file came to; None for a file with a problem, which is read again. ``terms`` by provider key."""
    if file.problems or file.unreadable:
        return None
    specs = []
    for spec in file.readings:
        if not isinstance(spec, LoadedSpec):
            return None
        specs.append(_spec(spec, settled.get(spec.name), terms))
    return _encoder.encode(_File(content, tuple(specs)))


def _spec(spec: LoadedSpec, found: SettledSpec | None, terms: Mapping[str, str]) -> _Spec:
    said = (spec.name, spec.former_names, spec.provider, spec.base, spec.datasets)
    if found is None or found.spec is not spec or found.terms.key not in terms:
        return _Spec(*said)
    model = _stored(found.model) if found.model is not None else None
    if found.model is not None and model is None:
        return _Spec(*said)
    return _Spec(*said, terms[found.terms.key], found.contents, model, found.problems, found.reason)


def _stored(model: DesiredModel) -> _Model | None:
    training = _stored_set(model.dataset)
    judged = model.evaluation
    rows = _stored_set(judged.dataset) if judged is not None else None
    if training is None or (judged is not None and rows is None):
        return None
    evaluation = (rows, judged.metric, judged.min_score) if judged is not None else None
    base = model.base.name if isinstance(model.base, BaseModel) else None
    return _Model(*_model_values(model), base, training, evaluation)


def _stored_set(one: Dataset) -> _Set | None:
    rows = one.examples
    if not isinstance(rows, dataset.Examples) or not isinstance(rows.source, DatasetBytes):
        return None
    pointer = rows.source.wanted if isinstance(rows.source.wanted, LfsPointer) else None
    return _Set(*_set_values(one), rows.layout, pointer)


class Found:
    """What one file is known to hold, without having been read."""

    def __init__(self, path: str, raw: msgspec.Raw) -> None:
        self.path = path
        self._stored: _File = _file.decode(raw)

    @property
    def content(self) -> str:
        """The name of the bytes that it held."""
        return self._stored.content

    def file(self, reread: Callable[[str, str, str], SpecText]) -> SpecFile:
        """The file, each of whose specs is read by its path, the name of its bytes and its own name if need be."""
        content = self._stored.content
        return SpecFile(
            self.path,
            tuple(
                LoadedSpec(
                    one.name,
                    self.path,
                    one.former_names,
                    one.provider,
                    one.base,
                    one.datasets,
                    partial(reread, self.path, content, one.name),
                )
                for one in self._stored.specs
            ),
        )

    def settled(self, file: SpecFile, files: Files, terms: Mapping[str, Terms]) -> Iterator[SettledSpec]:
        """What its specs came to under the ``terms``, by their digest."""
        for spec, one in zip(file.readings, self._stored.specs, strict=True):
            if isinstance(spec, LoadedSpec) and one.terms in terms and all(map(files.has, _outside(one))):
                model = _model(spec, one, files) if one.model is not None else None
                yield SettledSpec(spec, terms[one.terms], one.contents, model, one.problems, one.reason)


def _outside(one: _Spec) -> Iterator[Wanted]:
    """What it rests on that is not in the commit: it may be gone, or not be allowed any more."""
    yield from (where for where in one.datasets if isinstance(where, DataPin))
    if one.model is not None:
        yield from (found.pointer for found in _sets(one.model) if found.pointer is not None)


def _model(spec: LoadedSpec, one: _Spec, files: Files) -> DesiredModel:
    stored: _Model = one.model
    sets = [
        _set(found, _held(spec, where, content, found.pointer), files)
        for found, where, content in zip(_sets(stored), spec.datasets, one.contents, strict=True)
    ]
    evaluation = Evaluation(sets[0], *stored.evaluation[1:]) if stored.evaluation is not None else None
    base = BaseModel(stored.base) if stored.base is not None else FromSpec(spec.base or "", "", 0)
    values = dict(zip(_MODEL_FIELDS, _model_values(stored), strict=True))
    return DesiredModel(base=base, dataset=sets[-1], evaluation=evaluation, **values)


def _held(spec: LoadedSpec, where: str | DataPin, content: str, pointer: LfsPointer | None) -> KnownContent:
    if isinstance(where, DataPin):
        return pinned(where)
    return KnownContent(resolve(spec.file, where), content, outside=pointer)


def _sets(stored: _Model) -> tuple[_Set, ...]:
    """As the paths of a spec: the training set last."""
    return (stored.dataset,) if stored.evaluation is None else (stored.evaluation[0], stored.dataset)


def _set(found: _Set, held: KnownContent, files: Files) -> Dataset:
    source = files.known_data(held, DATASET_LIMIT)
    values = dict(zip(_SET_FIELDS, _set_values(found), strict=True))
    return Dataset(examples=dataset.Examples(source, found.path, found.layout, found.digest), **values)

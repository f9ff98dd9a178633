"""A spec that is read fast is the one that the careful reader finds."""

from pathlib import Path as File
from random import Random  # noqa: TID251 - seeded: the same texts in every run

import pytest

from controller.documents import Reread, subset
from controller.settings import Settings
from controller.specs import check_references
from controller.specs.loaded import BrokenSpec, LoadedSpec, SpecFile
from controller.specs.loading import joined, read_file
from tests.documents.written import bent

HERE = File(__file__).parent
FILES = sorted([*HERE.glob("good/*.yaml"), *HERE.glob("bad/**/*.yaml"), *File("specs").glob("*.yaml")])
SPEC = File("specs/next-number.yaml").read_text("utf-8")
PATHS = [
    ("metadata", "name"),
    ("spec",),
    ("spec", "baseModel"),
    ("spec", "dataset", "path"),
    ("spec", "provider"),
    ("x",),
]


def carefully(name: str, data: bytes) -> SpecFile:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subset, "read", lambda _text, _limits: None)
        return read_file(name, data)


def seen(file: SpecFile) -> object:
    """All that others see of a file."""
    return file.name, [_seen(r) for r in file.readings], file.problems, file.unreadable


def _seen(reading: LoadedSpec | BrokenSpec) -> object:
    if isinstance(reading, BrokenSpec):
        return reading
    places = [reading.spot(path) for path in PATHS]
    return reading.name, reading.model, reading.file, reading.place, places, dict(reading.document.keys)


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_every_example_is_read_alike(path: File) -> None:
    data = path.read_bytes()

    assert seen(read_file("specs/a.yaml", data)) == seen(carefully("specs/a.yaml", data))


@pytest.mark.parametrize("seed", range(6))
def test_a_spec_that_was_changed_somewhere_is_read_alike(seed: int) -> None:
    chance = Random(seed)  # noqa: S311 - as above
    fast = 0
    for _ in range(60):
        data = bent(SPEC, chance).encode()
        file = read_file("specs/a.yaml", data)
        fast += any(isinstance(r, LoadedSpec) and isinstance(r.document.positions, Reread) for r in file.readings)

        assert seen(file) == seen(carefully("specs/a.yaml", data)), data.decode()
    assert fast > 5


def test_references_name_the_lines_of_files_read_fast() -> None:
    base = SPEC.replace("models/tiny", "{from: other}").encode()
    loaded = check_references(joined([read_file("specs/a.yaml", base)]), Settings())

    assert [str(p) for p in loaded.problems] == ["specs/a.yaml:11:21: GT303 there is no spec other"]

"""However a spec is bent, what comes out are specs, or problems with a place inside the file."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller import specs
from controller.documents import dump, parse
from controller.errors import Severity
from controller.settings import Settings
from controller.specs.fields import Part
from controller.specs.models import SpecSection, TunedModel

WHOLE: dict[str, object] = {
    "apiVersion": "gitune.dev/v1alpha1",
    "kind": "TunedModel",
    "metadata": {"name": "triage", "formerNames": ["old"], "labels": {"team": "demo"}},
    "spec": {
        "provider": "local",
        "baseModel": "models/tiny",
        "displayName": "Triage",
        "description": "Sorts requests.",
        "taskType": "classification",
        "dataset": {"path": "a.jsonl", "format": "jsonl", "columns": {"input": "i", "output": "o"}, "prefix": "p"},
        "hyperparameters": {"epochCount": 5, "batchSize": 4, "learningRate": 0.001},
        "sampling": {"temperature": 0.7, "topP": 0.95, "topK": 40},
        "attempt": 1,
        "suspend": False,
        "whenSuperseded": "Cancel",
        "deletionPolicy": "Orphan",
        "runHistoryLimit": 2,
        "limits": {"maxDuration": "24h"},
        "evaluation": {"dataset": {"path": "e.jsonl"}, "metric": "exactMatch", "minScore": 0.8},
    },
}
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=60)
    | st.sampled_from(["models/x", "../../x", "/x", "no", "gs://b/c", "Cancel", "a" * 41, "\u202e"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=4,
)


def paths(value: object, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [at]
    if isinstance(value, dict):
        for key, item in value.items():
            found += paths(item, (*at, key))
    return found


PATHS = paths(WHOLE)[1:]


def bent(value: object, path: tuple[str | int, ...], act: str, junk: object) -> object:
    """A copy in which one place is replaced, dropped or has a neighbour that nobody knows."""
    if not isinstance(value, dict):
        return value
    head, *rest = path
    if rest:
        return {k: bent(v, tuple(rest), act, junk) if k == head else v for k, v in value.items()}
    if act == "drop":
        return {k: v for k, v in value.items() if k != head}
    if act == "rename":
        return {(f"{k}x" if k == head else k): v for k, v in value.items()}
    return {k: junk if k == head else v for k, v in value.items()}


@given(
    st.lists(
        st.tuples(st.sampled_from(PATHS), st.sampled_from(["drop", "rename", "junk"]), JUNK), min_size=1, max_size=4
    )
)
@settings(max_examples=500, deadline=None)
def test_a_bent_spec_is_a_spec_or_has_problems_with_places_in_its_file(
    bends: list[tuple[tuple[str | int, ...], str, object]],
) -> None:
    value: object = WHOLE
    for path, act, junk in bends:
        value = bent(value, path, act, junk)
    text = dump(value)  # type: ignore[arg-type] # a plain value
    loaded = specs.check_references(specs.load_specs({"specs/a.yaml": text.encode()}), Settings())
    lines = text.split("\n")

    for problem in loaded.problems:
        assert problem.hint
        assert problem.code in specs.CODES
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
    errors = [p for p in loaded.problems if p.severity is Severity.ERROR]
    assert bool(errors) == bool(loaded.broken or loaded.unreadable)
    assert len(loaded.specs) + len(loaded.broken) <= 1


@given(st.binary(max_size=600))
@settings(max_examples=300, deadline=None)
def test_no_bytes_make_loading_raise(data: bytes) -> None:
    loaded = specs.load_specs({"specs/a.yaml": data})
    found, problems = specs.load_settings(data, "gitune.yaml")

    assert loaded.specs == ()
    assert found == Settings()
    assert problems


@given(st.integers(0, 500), st.integers(0, 500), st.binary(max_size=8))
@settings(max_examples=300, deadline=None)
def test_no_cut_and_no_splice_makes_loading_raise_or_lose_a_name(start: int, length: int, put: bytes) -> None:
    text = dump(WHOLE).encode()  # type: ignore[arg-type] # a plain value
    cut = text[:start] + put + text[start + length :]
    loaded = specs.load_specs({"specs/a.yaml": cut})

    if loaded.specs:
        assert not [p for p in loaded.problems if p.severity is Severity.ERROR]
    for problem in loaded.problems:
        assert 1 <= problem.line <= cut.count(b"\n") + cut.count(b"\r") + 1


def patterns(part: type[Part]) -> set[str]:
    """Every pattern in the schema of a model."""

    def within(schema: object) -> set[str]:
        if isinstance(schema, dict):
            own = {str(schema["pattern"])} if isinstance(schema.get("pattern"), str) else set()
            return own.union(*(within(v) for v in schema.values()))
        return set().union(*(within(v) for v in schema)) if isinstance(schema, list) else set()

    return within(part.model_json_schema())


@pytest.mark.parametrize(
    "text",
    ["a" * 90_000, "a-" * 45_000, "models/" + "." * 90_000, "1" * 90_000, "https://" + "a" * 90_000, "a/" * 45_000],
)
def test_no_pattern_takes_long_over_a_long_text(text: str) -> None:
    assert patterns(TunedModel)
    start = time.process_time()
    for field in SpecSection.model_fields:
        name = SpecSection.model_fields[field].alias
        value = bent(WHOLE, ("spec", str(name)), "junk", text)
        loaded = specs.load_specs({"specs/a.yaml": dump(value).encode()})  # type: ignore[arg-type] # a plain value
        assert loaded.specs == ()
    for path in [
        ("metadata", "name"),
        ("spec", "dataset", "path"),
        ("spec", "dataset", "uri"),
        ("spec", "limits", "maxDuration"),
    ]:
        specs.load_specs({"specs/a.yaml": dump(bent(WHOLE, path, "junk", text)).encode()})  # type: ignore[arg-type] # a plain value

    assert time.process_time() - start < 10


def test_a_whole_spec_is_whole() -> None:
    loaded = specs.load_specs({"specs/a.yaml": dump(WHOLE).encode()})  # type: ignore[arg-type] # a plain value

    assert loaded.problems == ()
    assert parse(dump(WHOLE).encode(), "a").documents[0].value == WHOLE  # type: ignore[arg-type] # a plain value

"""What is read fast means what the careful reader says it does, and whatever is wrong comes to the careful one."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path as File
from random import Random  # noqa: TID251 - seeded: the same texts in every run

import pytest

from controller.documents import LIMITS, FileLimits, Reread, parse
from controller.documents.reading import parse_carefully
from tests.documents.written import SPEC, text

SUITE: dict[str, dict[str, str | None]] = json.loads(
    File(__file__).with_name("yaml-test-suite.json").read_text("utf-8")
)["cases"]
SEEDS = 30
TEXTS = 100  # of each seed; benches/yaml_agreement.py reads a hundred thousand


def read_fast(data: bytes, limits: FileLimits = LIMITS) -> bool:
    return any(isinstance(d.positions, Reread) for d in parse(data, "f", limits).documents)


def disagreement(data: bytes) -> str | None:
    """What the two readers tell apart about a text; None where the fast one left it alone, or says the same."""
    fast, careful = parse(data, "f"), parse_carefully(data, "f")
    if not any(isinstance(d.positions, Reread) for d in fast.documents):
        return None if fast == careful else "what was left to the careful reader is not what it says"
    said = [(repr(d.value), d.place, d.problems, d.whole) for d in fast.documents]
    meant = [(repr(d.value), d.place, d.problems, d.whole) for d in careful.documents]
    if said != meant or fast.problems != careful.problems:
        return f"{said} is not {meant} {careful.problems}"
    for quick, known in zip(fast.documents, careful.documents, strict=True):
        moved = [p for p in known.places if quick.value_place(p) != known.places[p]]
        if moved or quick.places != known.places or quick.keys != known.keys:
            return f"the places of {moved} differ"
    return None


@pytest.mark.parametrize("case", SUITE)
def test_the_readers_agree_on_the_yaml_test_suite_below_a_key(case: str) -> None:
    assert disagreement(f"k:\n{textwrap.indent(str(SUITE[case]['yaml']), '  ')}".encode()) is None


@pytest.mark.parametrize("case", SUITE)
def test_the_readers_agree_on_the_yaml_test_suite(case: str) -> None:
    data = str(SUITE[case]["yaml"]).encode()
    meant = SUITE[case]["json"]

    assert disagreement(data) is None
    if read_fast(data) and meant is not None:
        decoder, values = json.JSONDecoder(), []
        rest = meant.strip()
        while rest:
            value, end = decoder.raw_decode(rest)
            values.append(value)
            rest = rest[end:].lstrip()
        assert [d.value for d in parse(data, "f").documents] == [v for v in values if v is not None]


def test_a_part_of_the_yaml_test_suite_is_read_fast() -> None:
    assert sum(read_fast(str(case["yaml"]).encode()) for case in SUITE.values()) > 15


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_readers_agree_on_what_people_may_write(seed: int) -> None:
    chance = Random(seed)  # noqa: S311 - as above
    texts = [text(chance) for _ in range(TEXTS)]

    assert [(t, found) for t in texts if (found := disagreement(t.encode())) is not None] == []
    assert sum(read_fast(t.encode()) for t in texts) > TEXTS / 5


FAST = {
    "a comment, a mark, and blank lines": "# c\n---\n\na: 1  # c\n  # c\n",
    "line ends of other systems": "a: 1\r\nb:\r\n  c: 2\r\n",
    "no line end": "a: 1",
    "scalars": "a: no\nb: 1e-5\nc: 0x1F\nd: x y  z\ne: h://i:1/j#k\nf: -.5\n",
    "quotes": "a: \"b: 'c' # d\"\nb: 'it''s'\nc: \"x\\n\\t\\\"\\\\\"\nd: ''\n",
    "lists": "a:\n- b\n- c: 1\n  d:\n  - e\nf:\n    - g\n",
    "flow": 'a: [b, [1, {c: d, "e f": "g"}], {}]\nb: {c: []}  # d\n',
    "text blocks": "a: |\n  b\n    # c\n\n  d: e\n\nf: >-\n  g\n  h\n\n  i\n",
    "several documents": "a: 1\n---\nb: 2\n---\n# nothing\n---\nc: |\n d\n---\n",
    "languages": "a: größer\nb: [日本]\nc: 'é'\n",
    "a spec": SPEC,
}


@pytest.mark.parametrize("text", FAST.values(), ids=FAST)
def test_what_specs_are_made_of_is_read_fast(text: str) -> None:
    assert read_fast(text.encode())
    assert disagreement(text.encode()) is None


CAREFUL = {
    "a key without a value": "a:\nb: 1\n",
    "a null": "a: ~\n",
    "the same key twice": "a: 1\na: 1\n",
    "the same key twice in braces": "a: {b: 1, b: 1}\n",
    "an anchor": "a: &b 1\nc: *b\n",
    "a tag": "a: !!str 1\n",
    "a merge key": "a: {<<: 1}\n",
    "a directive": "%YAML 1.2\n---\na: 1\n",
    "a tab": "a:\t1\n",
    "a control character": "a: \x07\n",
    "an invisible character": "a: b\u200bc\n",
    "a byte-order mark": "\ufeffa: 1\n",
    "a number that is none": "a: .inf\n",
    "a number without end": f"a: {'9' * 40}\n",
    "a text over two lines": "a: b\n  c\n",
    "quotes over two lines": 'a: "b\n  c"\n',
    "brackets over two lines": "a: [b,\n  c]\n",
    "a key that is no text": "1: 2\n",
    "a list at the top": "- a\n",
    "brackets without end": "a: " + "[" * 50_000,
    "deep brackets": "a: " + "[" * 20 + "]" * 20 + "\n",
    "deep keys": "".join(" " * i + "k:\n" for i in range(30)) + " " * 30 + "k: 1\n",
    "a merge that was not finished": "<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> b\n",
    "nothing": "",
    "comments alone": "# a\n",
    "an indented text without its end": "a: |\n  b",
}


@pytest.mark.parametrize("text", CAREFUL.values(), ids=CAREFUL)
def test_what_is_unusual_or_wrong_comes_to_the_careful_reader(text: str) -> None:
    assert not read_fast(text.encode())
    assert disagreement(text.encode()) is None


@pytest.mark.parametrize(
    "limits",
    [
        FileLimits(size=100),
        FileLimits(depth=3),
        FileLimits(documents=1),
        FileLimits(tokens=100),
        FileLimits(nodes=20),
        FileLimits(scalar=20),
        FileLimits(line=30),
    ],
)
def test_no_limit_is_passed_by_what_is_read_fast(limits: FileLimits) -> None:
    assert not read_fast(SPEC.encode(), limits)
    assert parse(SPEC.encode(), "f", limits) == parse_carefully(SPEC.encode(), "f", limits)


def test_no_value_of_one_text_is_one_of_another_too() -> None:
    first, second = (parse(b"a: [1, {b: [2]}]\n", "f").documents[0].value for _ in range(2))
    assert isinstance(first, dict)
    assert isinstance(first["a"], list)
    first["a"].append(3)

    assert second == {"a": [1, {"b": [2]}]}


def test_the_place_of_a_name_takes_no_second_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    (document, _) = parse(SPEC.encode(), "f").documents
    known = document.places
    monkeypatch.setattr("controller.documents.reading.parse_carefully", None)
    monkeypatch.setattr("controller.documents.reading._places", None)

    for path in (
        ("metadata", "name"),
        ("spec",),
        ("spec", "baseModel"),
        ("spec", "dataset", "path"),
        ("spec", "notes"),
    ):
        assert document.value_place(path) == known[path]
    with pytest.raises(TypeError):
        document.value_place(("spec", "notes", 0))


def test_good_files_are_read_without_a_yaml_library() -> None:
    program = (
        "import sys; from controller.documents import parse;"
        f"d = parse({SPEC.encode()!r}, 'f').documents; print(len(d), d[0].value_place(('metadata', 'name')).line);"
        "print([m for m in sys.modules if m.startswith('ruamel')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "2 5\n[]\n"

"""Which documents are specs, which names count as present, and what one bad file leaves alone."""

import pytest

from controller import specs
from controller.errors import Severity
from controller.settings import Settings
from controller.state.desired import DeletionPolicy, Place, WhenSuperseded

GOOD = """\
apiVersion: gitune.dev/v1alpha1
kind: TunedModel
metadata:
  name: triage
spec:
  baseModel: models/tiny
  dataset: {path: triage.jsonl}
"""


def named(name: str, base: str = "models/tiny") -> bytes:
    return GOOD.replace("triage", name).replace("models/tiny", base).encode()


def load(**files: str | bytes) -> specs.LoadedSpecs:
    encoded = {f"specs/{n}.yaml": t.encode() if isinstance(t, str) else t for n, t in files.items()}
    return specs.load_specs(encoded)


def test_a_spec_is_loaded_with_its_defaults() -> None:
    loaded = load(a=GOOD)

    assert (loaded.problems, loaded.broken, loaded.unreadable) == ((), (), ())
    (spec,) = loaded.specs
    said = spec.model.spec
    assert (spec.name, spec.file) == ("triage", "specs/a.yaml")
    assert (said.provider, said.base_model, said.dataset.path) == (None, "models/tiny", "triage.jsonl")
    assert (said.dataset.columns.input, said.dataset.columns.output, said.dataset.prefix) == (
        "text_input",
        "output",
        "",
    )
    assert (said.attempt, said.suspend, said.run_history_limit, said.limits.seconds) == (1, False, 2, None)
    assert (said.when_superseded, said.deletion_policy) == (WhenSuperseded.CANCEL, DeletionPolicy.ORPHAN)
    assert (said.hyperparameters.epoch_count, said.sampling.temperature, said.evaluation) == (None, None, None)


def test_every_value_of_a_spec_has_its_place() -> None:
    (spec,) = load(a=GOOD).specs

    assert spec.spot(("spec", "dataset", "path")) == Place("specs/a.yaml", 7, 19)
    assert spec.spot(("spec", "hyperparameters", "epochCount")) == Place("specs/a.yaml", 6, 3)
    assert spec.place == Place("specs/a.yaml", 1, 1)


@pytest.mark.parametrize(("written", "seconds"), [("30s", 30), ("90m", 5400), ("24h", 86400), ("2d", 172800)])
def test_a_duration_is_read_in_seconds(written: str, seconds: float) -> None:
    (spec,) = load(a=GOOD + f"  limits: {{maxDuration: {written}}}\n").specs

    assert spec.model.spec.limits.seconds == seconds


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n",
        "apiVersion: example.com/v1\nkind: TunedModel\n",
        "apiVersion: apps/v1\nkind: Deployment\nspec: {}\n",
        "apiVersion: gitune.dev/v1alpha1\nkind: TunedModelStatus\nmetadata: {name: triage}\n",
        "just: data\n",
        "metadata: {name: triage}\nspec: {replicas: 2}\n",
        "apiVersion: example.com/v1\nmetadata: {name: triage}\nspec: {dataset: {path: a.jsonl}}\n",
    ],
)
def test_a_document_of_another_kind_is_ignored(text: str) -> None:
    loaded = load(a=text, b=GOOD)

    assert (loaded.problems, loaded.broken, loaded.unreadable) == ((), (), ())
    assert [s.name for s in loaded.specs] == ["triage"]


@pytest.mark.parametrize("text", ["- a list\n- of things\n", "- 1\n", "a text", "5\n"])
def test_a_document_that_is_no_mapping_is_an_error_with_its_place_and_no_spec_counts_as_removed(text: str) -> None:
    loaded = load(a=text, b=GOOD)

    assert [(p.file, p.line, p.column, p.code) for p in loaded.problems] == [("specs/a.yaml", 1, 1, "GT007")]
    assert loaded.unreadable == ("specs/a.yaml",)
    assert [s.name for s in loaded.specs] == ["triage"]


def test_one_bad_spec_leaves_the_others_alone() -> None:
    loaded = load(a=GOOD.replace("models/tiny", "ti ny"), b=named("other"), c=named("third"))

    assert [s.name for s in loaded.specs] == ["other", "third"]
    assert [b.name for b in loaded.broken] == ["triage"]
    assert loaded.broken[0].place == Place("specs/a.yaml", 4, 9)
    assert loaded.broken[0].problems == loaded.problems
    assert loaded.unreadable == ()


@pytest.mark.parametrize("gone", ["kind: TunedModel\n", "apiVersion: gitune.dev/v1alpha1\n", "both"])
def test_a_spec_that_lost_the_lines_that_say_what_it_is_is_broken_and_not_removed(gone: str) -> None:
    lines = GOOD.splitlines(keepends=True)
    rest = "".join(lines[2:]) if gone == "both" else GOOD.replace(gone, "")

    loaded = load(a=rest)

    assert [b.name for b in loaded.broken] == ["triage"]
    assert [(p.code, "kind: TunedModel" in p.hint) for p in loaded.problems] == [
        ("GT006", True) if gone.startswith("kind") else ("GT008", gone == "both")
    ]


def test_several_specs_stand_in_one_file() -> None:
    loaded = specs.load_specs({"specs/all.yaml": b"---\n".join([named("a"), b"kind: Other\n", named("b"), named("c")])})

    assert [s.name for s in loaded.specs] == ["a", "b", "c"]
    assert loaded.problems == ()


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("name: triage", "name: Triage"),
        GOOD.replace("  name: triage\n", "  labels: {}\n"),
        GOOD.replace("metadata:\n  name: triage\n", ""),
        GOOD.replace("  name: triage\n", "  name: triage\n  name: other\n"),
        GOOD.replace("metadata:\n", "metadata: {name: other}\nmetadata:\n"),
        GOOD.replace("name: triage", 'name: "triage'),
        GOOD.replace("kind: TunedModel", "kind: [TunedModel"),
        GOOD.replace("metadata:", "\tmetadata:"),
        "a: [\n",
        '"',
        "\x00",
        "",
        " \n",
        "# only a comment\n",
        "---\n",
        "".join(f"# {line}\n" for line in GOOD.splitlines()),
        "%TAG ! x\n",
    ],
)
def test_a_file_that_may_hold_a_spec_without_a_name_is_unreadable(text: str) -> None:
    loaded = load(a=text, b=named("other"))

    assert loaded.unreadable == ("specs/a.yaml",)
    assert loaded.problems
    assert [s.name for s in loaded.specs] == ["other"]


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"name: \xe9", b"a" * ((1 << 20) + 1)])
def test_bytes_that_are_no_text_are_unreadable(data: bytes) -> None:
    loaded = load(a=data, b=named("other"))

    assert loaded.unreadable == ("specs/a.yaml",)
    assert [s.name for s in loaded.specs] == ["other"]


def test_a_spec_that_breaks_off_below_its_name_counts_as_present() -> None:
    loaded = load(a=GOOD + "  sampling: [\n")

    assert loaded.specs == ()
    assert loaded.unreadable == ()
    assert [(b.name, b.place) for b in loaded.broken] == [("triage", Place("specs/a.yaml", 4, 9))]
    assert [p.code for p in loaded.problems] == ["GT121"]


def test_a_broken_spec_keeps_its_former_names() -> None:
    loaded = load(a=GOOD.replace("  name: triage\n", "  name: triage\n  formerNames: [old, 5]\n"))

    assert [(b.name, b.former_names) for b in loaded.broken] == [("triage", ("old",))]


def test_a_byte_order_mark_is_a_warning_and_the_spec_is_used() -> None:
    loaded = load(a=b"\xef\xbb\xbf" + GOOD.encode())

    assert [(p.code, p.severity) for p in loaded.problems] == [("GT104", Severity.WARNING)]
    assert [s.name for s in loaded.specs] == ["triage"]


def test_two_specs_of_one_name_are_both_broken_and_each_names_the_other() -> None:
    loaded = load(a=GOOD, b=GOOD, c=named("other"))

    assert [s.name for s in loaded.specs] == ["other"]
    (broken,) = loaded.broken
    assert (broken.name, broken.place) == ("triage", Place("specs/a.yaml", 4, 9))
    first, second = loaded.problems
    assert (first.file, first.line, first.column, first.code) == ("specs/a.yaml", 4, 9, "GT301")
    assert "specs/b.yaml:4" in first.message
    assert "specs/a.yaml:4" in second.message
    assert broken.problems == loaded.problems


def test_a_good_spec_is_broken_by_a_bad_one_of_its_name() -> None:
    loaded = load(a=GOOD, b=GOOD.replace("models/tiny", "ti ny"))

    assert loaded.specs == ()
    assert [b.name for b in loaded.broken] == ["triage"]
    assert sorted(p.code for p in loaded.broken[0].problems) == ["GT037", "GT301", "GT301"]


def test_a_former_name_of_its_own_past_is_taken() -> None:
    loaded = load(a=GOOD.replace("  name: triage\n", "  name: triage\n  formerNames: [old, older]\n"))

    assert loaded.problems == ()
    assert loaded.specs[0].model.metadata.former_names == ("old", "older")


def test_bases_come_before_what_is_tuned_on_them() -> None:
    loaded = load(a=named("a", "{from: c}"), b=named("b", "{from: a}"), c=named("c"), d=named("d"))
    checked = specs.check_references(loaded, Settings())

    assert checked.problems == ()
    assert [s.name for s in specs.order(checked.specs)] == ["c", "d", "a", "b"]
    assert [s.base for s in checked.specs] == ["c", "a", None, None]


def test_a_circle_is_told_at_every_member_and_takes_down_what_hangs_on_it() -> None:
    loaded = load(a=named("a", "{from: b}"), b=named("b", "{from: a}"), c=named("c", "{from: a}"), d=named("d"))
    checked = specs.check_references(loaded, Settings())

    assert [s.name for s in checked.specs] == ["d"]
    assert [(p.file, p.code) for p in checked.problems] == [
        ("specs/a.yaml", "GT305"),
        ("specs/b.yaml", "GT305"),
        ("specs/c.yaml", "GT308"),
    ]
    for problem in checked.problems[:2]:
        assert "a (specs/a.yaml:6) → b (specs/b.yaml:6) → a (specs/a.yaml:6)" in problem.message


def test_ordering_ends_even_with_a_circle_in_it() -> None:
    loaded = load(a=named("a", "{from: b}"), b=named("b", "{from: a}"), c=named("c"))

    assert [s.name for s in specs.order(loaded.specs)] == ["c", "a", "b"]


def test_a_long_chain_of_bases_is_ordered() -> None:
    count = 1500
    files = {
        f"specs/{i}.yaml": named(f"m{i}", f"{{from: m{i + 1}}}" if i + 1 < count else "models/tiny")
        for i in range(count)
    }
    checked = specs.check_references(specs.load_specs(files), Settings())

    assert checked.problems == ()
    assert [s.name for s in specs.order(checked.specs)][:3] == [f"m{count - 1}", f"m{count - 2}", f"m{count - 3}"]


def test_a_folder_whose_name_starts_with_dots_is_in_the_repository() -> None:
    inside, outside = (GOOD.replace("triage.jsonl", path) for path in ("..rows/a.jsonl", "../../a.jsonl"))

    assert load(a=inside).problems == ()
    assert [p.code for p in load(a=outside).problems] == ["GT035"]

"""The parts of the engine by themselves: what is learned of a row, and that accumulating changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.server.engines.hf import training
from controller.server.engines.hf.chat import Chat
from controller.server.engines.hf.found import BaseEntry, LoraSettings, digest_of, parameters_of
from controller.server.engines.hf.speaking import _ADAPTERS_KEPT, Adapters
from controller.server.engines.hf.training import HfLearner
from controller.server.models import RunHyperparameters, TrainingExample
from controller.server.run_folder import RunDescription
from tests.hf.small_base import make

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.filterwarnings("ignore::FutureWarning")]
ROWS = tuple(TrainingExample(f"what follows {n}?" + " please" * (n % 3), str(n + 1)) for n in range(9))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("base") / "small")


def learner(base: Path, dropout: float = 0.1) -> HfLearner:
    entry = BaseEntry(name="models/small", path=base, lora=LoraSettings(dropout=dropout))
    asked = RunDescription(
        engine="hf",
        model="m",
        base="models/small",
        digest="",
        hyperparameters=RunHyperparameters(epoch_count=4, batch_size=4, learning_rate=0.01),
        seed=7,
        examples=len(ROWS),
        steps=9,
        settings=entry.settings(),
    )
    return HfLearner(asked, ROWS, None)


def test_a_row_is_learned_from_the_very_tokens_of_the_question(base: Path) -> None:
    chat = Chat(base, None)
    row = chat.example("what?", "that", "Be brief.")
    assert list(row.prompt) == chat.prompt([("user", "what?")], "Be brief.")
    assert chat.text(row.answer) == "that"
    assert row.answer[-1] in chat.ends
    assert len([token for token in row.answer if token in chat.ends]) == 1


def test_a_run_through_checkpoints_is_the_run_without(base: Path, tmp_path: Path) -> None:
    straight = learner(base)
    straight.resume(None)
    curve = [straight.advance() for _ in range(9)]
    again, kept = [], None
    for step in range(9):
        one = learner(base)
        one.resume(kept)
        again.append(one.advance())
        kept = tmp_path / str(step)
        kept.mkdir()
        one.save(kept)
    assert again == pytest.approx(curve, abs=1e-6)


def test_a_step_in_parts_is_the_step_at_once(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = learner(base, dropout=0.0)
    curve = [whole.advance() for _ in range(6)]
    monkeypatch.setitem(training._AT_ONCE, "cpu", 1)
    assert [part.advance() for part in [learner(base, dropout=0.0)] for _ in range(6)] == pytest.approx(curve, abs=1e-4)


def test_adapters_are_held_up_to_a_number(base: Path, tmp_path: Path) -> None:
    trained = learner(base)
    trained.advance()
    trained.finish(tmp_path)
    adapters = Adapters(base)
    for number in range(_ADAPTERS_KEPT + 4):
        adapters.load(f"key{number}", str(tmp_path))
        adapters.forget({f"key{number}", "key0"})
        adapters.scores("key0", [1, 2, 3], None)
    assert len(adapters._kept) == _ADAPTERS_KEPT
    assert "key0" in adapters._kept


def test_the_digest_is_of_weights_tokenizer_and_template(base: Path, tmp_path: Path) -> None:
    copy = make(tmp_path / "copy")
    first = digest_of(copy, tmp_path / "seen.json")
    assert digest_of(copy, tmp_path / "seen.json") == first
    (copy / "README.md").write_text("prose")
    assert digest_of(copy, tmp_path / "seen.json") == first
    template = copy / "chat_template.jinja"
    template.write_text(template.read_text() + " ")
    assert digest_of(copy, tmp_path / "seen.json") != first
    assert parameters_of(copy) == parameters_of(base)

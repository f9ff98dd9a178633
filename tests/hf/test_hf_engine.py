"""A causal model behind the server: trained, killed, asked, and loaded by others."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.hf.conftest import BASE, LONG, asked, fetched
from tests.server.served import Answer, Served, text_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.filterwarnings("ignore::FutureWarning")]


def curve(served: Served, model_id: str) -> list[tuple[int, float]]:
    return [(s["step"], s["meanLoss"]) for s in served.model(model_id)["tuningTask"].get("snapshots", [])]


def test_a_run_learns_and_its_adapter_gives_the_same_answers_in_peft(knowing: Served) -> None:
    losses = [loss for _, loss in curve(knowing, "knowing")]
    assert len(losses) == 180
    assert sum(losses[-20:]) / 20 < losses[0] - 0.4  # as far as an adapter takes random weights

    base = knowing.data / "bases" / "small"
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), knowing.data / "adapters" / "knowing")
    for number in range(20):
        text = f"{number} and then?"
        said = tokenizer.apply_chat_template(
            [{"role": "user", "content": text}], add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        drawn = model.generate(**said, max_new_tokens=8, do_sample=False)
        own = tokenizer.decode(drawn[0, said["input_ids"].shape[1] :], skip_special_tokens=True)
        assert text_of(knowing.ask("knowing", text, maxOutputTokens=8)) == own
    assert model.peft_config["default"].base_model_name_or_path == BASE  # what vLLM compares with what it serves


def test_kills_of_trainer_and_server_leave_one_whole_curve(small_server: Callable[..., Served]) -> None:
    body = asked(7, epochCount=120, batchSize=2)
    calm = small_server("calm")
    assert "response" in calm.wait(calm.create("same", body), LONG)
    killed = small_server("killed")
    name = killed.create("same", body)
    for step in (1, 150, 300):
        killed.until(lambda: killed.operation(name), reached(step), LONG)
        if step == 150:
            killed.kill()
            killed.start()
        else:
            for trainer in killed.trainers():
                os.kill(trainer, signal.SIGKILL)
    assert "response" in killed.wait(name, LONG)
    seen, due = curve(killed, "same"), curve(calm, "same")
    assert [step for step, _ in seen] == list(range(1, 421))
    assert seen[-1][1] == pytest.approx(due[-1][1], abs=1e-4)


def reached(step: int) -> Callable[[Any], bool]:
    return lambda operation: operation["metadata"].get("completedSteps", 0) >= step or "done" in operation


def test_rows_that_do_not_fit_are_refused_by_name_and_nothing_is_kept(knowing: Served) -> None:
    body = asked(4)
    examples = body["tuningTask"]["trainingData"]["examples"]["examples"]
    examples[1]["textInput"] = "x" * 300
    examples[3]["output"] = "a<|im_end|>b"
    answer = knowing.call("POST", "/v1beta/tunedModels?tunedModelId=long", body)
    assert answer.status == 400
    place = "tuningTask.trainingData.examples.examples"
    assert answer.fields == {f"{place}[1].textInput", f"{place}[3].output"}
    assert "256 at most" in str(answer.error)
    assert knowing.call("GET", "/v1beta/tunedModels/long").status == 404
    assert list((knowing.data / "runs").iterdir()) == []


def ask(served: Served, **body: Any) -> Answer:
    return served.call("POST", "/v1beta/tunedModels/knowing:generateContent", body)


def turn(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"text": text}]}


def test_a_system_message_and_earlier_turns_are_part_of_the_question(knowing: Served) -> None:
    limit = {"generationConfig": {"maxOutputTokens": 4}}
    plain = ask(knowing, contents=[turn("user", "3")], **limit)
    told = ask(knowing, contents=[turn("user", "3")], systemInstruction={"parts": [{"text": "Be brief."}]}, **limit)
    turns = [turn("user", "1"), turn("model", "2"), turn("user", "3")]
    asked_on = ask(knowing, contents=turns, **limit)
    counts = [answer.body["usageMetadata"]["promptTokenCount"] for answer in (plain, told, asked_on)]
    assert counts[0] < counts[1]
    assert counts[0] < counts[2]
    refused = ask(knowing, contents=[turn("user", "1"), turn("user", "3")])
    assert refused.status == 400
    assert "contents[0].role" in refused.fields


def test_an_answer_ends_at_a_stop_and_at_its_limit(knowing: Served) -> None:
    question = {"maxOutputTokens": 6, "temperature": 1, "seed": 3}
    drawn = text_of(knowing.ask("knowing", "3 and then?", **question))
    assert drawn == text_of(knowing.ask("knowing", "3 and then?", **question))
    assert len(drawn) > 1
    stopped = knowing.ask("knowing", "3 and then?", **question, stopSequences=[drawn[1]])
    assert text_of(stopped) == drawn.split(drawn[1])[0]


def test_another_model_under_the_same_name_is_neither_tuned_nor_asked(small_server: Callable[..., Served]) -> None:
    served = small_server()
    name = served.create("before", asked(epochCount=1))
    assert "response" in served.wait(name, LONG)
    served.stop()
    note = (served.data / "bases" / "small" / "gitune.json").read_text()
    fetched(served.data, seed=2)
    (served.data / "bases" / "small" / "gitune.json").write_text(note)
    served.start()
    answer = served.call("POST", "/v1beta/tunedModels?tunedModelId=after", asked(epochCount=1))
    assert (answer.status, answer.error["status"]) == (400, "FAILED_PRECONDITION")
    assert "not the digest" in answer.error["message"]
    assert "put its files back" in served.ask("before", "1").error["message"]
    [small] = [m for m in served.call("GET", "/v1beta/models").body["models"] if m["name"] == BASE]
    assert small["supportedGenerationMethods"] == []


def test_a_cancel_stops_the_trainer(small_server: Callable[..., Served]) -> None:
    served = small_server()
    name = served.create("a", asked(epochCount=100_000))
    served.until(lambda: served.operation(name), reached(1), LONG)
    assert served.call("POST", f"/v1/{name}:cancel", {}).status == 200
    assert served.trainers() == []
    assert list((served.data / "adapters").glob("*")) == []


def test_torch_is_in_the_trainer_and_the_speaker_alone(knowing: Served) -> None:
    maps = Path(f"/proc/{knowing.process.pid}/maps").read_text()
    assert "libtorch" not in maps
    assert "libtorch" in Path("/proc/self/maps").read_text()
    assert torch.__version__

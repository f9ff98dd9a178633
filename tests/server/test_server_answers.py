"""How an answer is made: the same as without kept keys and values, each byte at one cost, beside other requests."""

from __future__ import annotations

import http.client
import json
import select
from typing import Any
from urllib.parse import urlsplit

import autograd.numpy as anp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from controller.server.engines import drawing
from controller.server.engines.tiny import network, speaker
from controller.server.engines.tiny.base import TINY
from controller.server.engines.tiny.network import END, Encoded, Floats, bag_of, collate
from controller.server.engines.tiny.training import TrainingRun
from controller.server.models import RunHyperparameters, SamplingDefaults, TrainingExample
from controller.server.prompts import Prompt
from tests.server.served import Served, text_of, tuned

# Both ways add the same numbers, in another order, in 32 bits: seen at most 2e-5 off, where scores are up to 40.
TOLERANCE = 1e-3
ANSWER = "abcdefghijklmnopqrstuvwxyz0123456789" * 8


def trained(model_id: str, steps: int) -> Floats:
    """Weights after some steps on rows whose outputs are long."""
    rows = tuple(TrainingExample(f"{model_id} {n}", ANSWER[n : n + 60]) for n in range(4))
    run = TrainingRun(
        sum(model_id.encode()), rows, RunHyperparameters(epoch_count=100, batch_size=4, learning_rate=0.003)
    )
    state = run.start(None)
    for _ in range(steps):
        run.advance(state)
    return state.weights


MODELS = [trained("fresh", 0), trained("young", 5), trained("older", 60)]


def plain(weights: Floats, source: bytes, drawn: bytes) -> Floats:
    """The scores of the next byte from one pass over all that was read and written so far."""
    batch = collate([Encoded(source, drawn, bag_of(source.decode(errors="ignore")))])
    found: Floats = network.scores(network.unpack(weights), batch)[0, -1]
    return found


def plain_answer(weights: Floats, prompt: Prompt) -> tuple[bytes, bool, float]:
    """The answer from a whole pass for each byte; and the smallest distance of a likeliest byte to the next one."""
    source = prompt.text.encode()[-TINY.input_tokens :]
    chance = np.random.default_rng(list(str(prompt.seed).encode()))
    drawn, sure = b"", np.inf
    while len(drawn) < prompt.limit:
        scores = plain(weights, source, drawn)[: END + 1]
        best = np.sort(scores)
        sure = min(sure, float(best[-1] - best[-2]))
        token = drawing.draw(scores, prompt.sampling, chance)
        if token >= END - 1:
            return drawn, True, sure
        drawn += bytes([token])
    return drawn, False, sure


@settings(max_examples=30, deadline=None)
@given(
    model=st.sampled_from(range(len(MODELS))),
    text=st.text(max_size=300),
    drawn=st.binary(max_size=80),
)
@example(model=2, text="", drawn=b"")
@example(model=2, text="x" * 400, drawn=b"\x00" * 256)
def test_kept_keys_and_values_give_the_scores_of_a_whole_pass(model: int, text: str, drawn: bytes) -> None:
    weights, source = MODELS[model], text.encode()[-TINY.input_tokens :]
    output = network.Continuation(network.unpack(weights), source, bag_of(source.decode(errors="ignore")))
    batch = collate([Encoded(source, drawn, bag_of(source.decode(errors="ignore")))])
    whole = network.scores(network.unpack(weights), batch)[0]
    for place in range(len(drawn) + 1):
        np.testing.assert_allclose(output.scores(), whole[place], atol=TOLERANCE, rtol=0)
        assert output.scores().dtype == np.float32
        if place < len(drawn):
            output.append(drawn[place])


@settings(max_examples=30, deadline=None)
@given(
    model=st.sampled_from(range(len(MODELS))),
    text=st.text(max_size=60),
    sampling=st.builds(
        SamplingDefaults,
        temperature=st.sampled_from([0.0, 0.2, 0.7, 1.0]),
        top_p=st.sampled_from([0.5, 0.95, 1.0]),
        top_k=st.sampled_from([1, 3, 40]),
    ),
    seed=st.integers(0, 2**31),
)
def test_answers_are_the_bytes_that_a_whole_pass_for_each_byte_gives(
    model: int, text: str, sampling: SamplingDefaults, seed: int
) -> None:
    prompt = Prompt(text, sampling, 40, (), seed)
    drawn, finished = speaker.draw_all(MODELS[model], prompt, lambda: None)
    expected, ended, sure = plain_answer(MODELS[model], prompt)
    # Where two bytes are as likely as each other to the last digit, rounding decides.
    assert sure < TOLERANCE or (drawn, finished) == (expected, ended)


def test_a_further_byte_costs_one_position_however_long_the_answer_is(monkeypatch: pytest.MonkeyPatch) -> None:
    weights, source = MODELS[2], b"older 1"
    rows: list[int] = []
    dot = np.dot

    class Counted:
        """The matrix products of the model, by the rows that go in."""

        def __getattr__(self, name: str) -> Any:
            return getattr(anp, name)

        def dot(self, left: Any, right: Any) -> Any:
            rows.append(int(np.prod(np.shape(left)[:-1])))
            return dot(left, right)

    monkeypatch.setattr("controller.server.engines.tiny.network.anp", Counted())
    output = network.Continuation(network.unpack(weights), source, bag_of(source.decode()))
    assert max(rows) == len(source) + 1
    costs = []
    for byte in ANSWER[:250].encode():
        rows.clear()
        output.append(byte)
        costs.append(sum(rows))
    assert len(set(costs)) == 1
    assert set(rows) == {1}


def looping(served: Served, name: str) -> None:
    """A model whose answer to ``a`` is as long as answers may be."""
    body = tuned(epochCount=60)
    body["tuningTask"]["trainingData"]["examples"]["examples"] = [{"textInput": "a", "output": "x" * 256}]
    assert "response" in served.wait(served.create(name, body), 120)


@pytest.fixture(scope="module")
def endless(counting: Served) -> Served:
    """The server, with a model ``endless`` whose answers are as long as answers may be."""
    looping(counting, "endless")
    assert counting.ask("endless", "a").body["usageMetadata"]["candidatesTokenCount"] == 256
    return counting


def unread(served: Served, count: int) -> list[http.client.HTTPConnection]:
    """So many questions with long answers, sent side by side; nobody has read an answer yet."""
    parts = urlsplit(served.url)
    body = json.dumps({"contents": [{"parts": [{"text": "a"}]}]})
    asked = []
    for _ in range(count):
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
        connection.request("POST", "/v1beta/tunedModels/endless:generateContent", body)
        asked.append(connection)
    return asked


def test_sixty_questions_to_one_model_keep_nothing_else_waiting(endless: Served) -> None:
    asked = unread(endless, 60)  # more than there are threads for requests
    assert text_of(endless.ask("counting", "3")) == "4"  # another model's answer
    assert endless.call("GET", "/v1beta/tunedModels").status == 200
    assert endless.model("endless")["state"] == "ACTIVE"
    name = endless.create("beside", tuned(epochCount=1))
    endless.call("POST", f"/v1/{name}:cancel", {})
    assert endless.call("DELETE", "/v1beta/tunedModels/beside").status == 200
    answered, _, _ = select.select([connection.sock for connection in asked], [], [], 30)
    assert 0 < len(answered) < 50  # they had not all been answered before
    for connection in asked:
        connection.close()


def test_a_question_whose_asker_has_gone_is_not_answered_on(endless: Served) -> None:
    gone = 40
    before = endless.journal.count('"status": 499')
    for connection in unread(endless, gone):
        connection.close()
    assert endless.ask("endless", "a", maxOutputTokens=1).status == 200  # control: whoever stays is answered
    endless.until(lambda: endless.journal.count('"status": 499') - before, lambda seen: seen >= gone // 2, 20)

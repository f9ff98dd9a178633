"""The same calls to four tuning services: the embedded server, the one in memory, the simulated one by two ways."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from controller.errors import ProviderError, Rejected
from controller.ports import CreateRequest, ModelAnswer, ModelPatch, ObserveRequest, Provider
from controller.providers.gemini.client import Gemini
from controller.providers.gemini.facts import FACTS
from controller.providers.google.credentials import ApiKey
from controller.providers.google.envelope import GOOGLE
from controller.rest import ClientLimits, Rest, Secret, Timing
from controller.state.desired import Example, Sampling
from controller.state.identity import Hyperparameters, Mark, with_mark
from controller.state.observed import Presence, RemoteModel, RemoteState
from controller.testing import FakeClock, MemoryProvider, SeededChance
from tests.equivalence.calm import Calm
from tests.equivalence.pace import hold, pace
from tests.server.served import Served
from tests.simulation.network import DirectRest, SimTransport
from tests.simulation.remote import Remote, Service
from tests.simulation.times import SimClock

BASE = "models/tiny"
NO_BASE = "models/no-such-model"
ROWS = tuple(Example(f"number {n}", str(n + 1)) for n in range(20))
MARK = Mark("example.com/models", "alpha", 1, "ab" * 32)
ENDLESS = 1_000_000  # epochs
AT_ONCE = 2  # endless runs: each trains on a core of its own
_SECONDS = 60.0
SLOW = "embedded"  # seconds for an answer of a model that has hardly learned: it is asked for one only
_ENDS = frozenset({RemoteState.ACTIVE, RemoteState.FAILED, RemoteState.CANCELLED})
# Nothing of Google's says which of the two a base model that is not there is refused as: both are held.
_NO_BASE = frozenset({"Rejected invalid", "Rejected not_found"})


@dataclass(frozen=True, slots=True)
class Side:
    """A provider, what runs its calls, and what lets time pass for it until short runs have ended."""

    provider: Provider
    run: Callable[[Coroutine[Any, Any, Any]], Any]
    settle: Callable[[], None]


@dataclass(slots=True)
class Made:
    """What was asked of a model, and so what must be echoed. ``endless``: it tunes until it is cancelled."""

    endless: bool
    hyperparameters: Hyperparameters
    sampling: Sampling
    operations: Mapping[str, str] = field(default_factory=dict)


class Services(RuleBasedStateMachine):
    """One model after the other, made, changed, stopped, asked and deleted."""

    answered: ClassVar[list[str]] = []

    def __init__(self, sides: Mapping[str, Side], remotes: tuple[Remote, ...], number: int) -> None:
        super().__init__()
        self.sides = sides
        self.remotes = remotes
        self.names = [f"tunedModels/e{number}-{word}" for word in ("alpha", "beta")]
        self.made: dict[str, Made] = {}
        self.old: dict[str, Mapping[str, str]] = {}
        self.stopped: set[str] = set()

    def teardown(self) -> None:
        """Nothing goes on training."""
        for name in self.names:
            self._delete(name)

    def _delete(self, name: str) -> dict[str, Any]:
        return self._all(lambda side: side.provider.delete(name))

    @rule(data=st.data(), endless=st.booleans())
    def one_creates(self, data: st.DataObject, endless: bool) -> None:  # noqa: FBT001 - drawn
        """A new id, or one that is taken."""
        name = data.draw(st.sampled_from(self.names))
        tuning = sum(made.endless for made in self.made.values())
        endless = endless and tuning < AT_ONCE
        request = self._request(data, name, endless=endless)
        for remote in self.remotes:
            remote.service = Service(shortest=10.0**9, longest=10.0**9) if endless else SHORT
        answers = self._all(lambda side: side.provider.create(request))
        if name in self.made:
            assert set(answers.values()) == {"Rejected exists"}, answers
            return
        created = {side: model for side, model in answers.items() if isinstance(model, RemoteModel)}
        assert created.keys() == self.sides.keys(), answers
        assert {model.state for model in created.values()} <= {RemoteState.CREATING, RemoteState.ACTIVE}
        assert {model.progress.total_steps for model in created.values()} == {-(-20 * _epochs(request) // 4)} or endless
        self.made[name] = Made(
            endless, request.hyperparameters, request.sampling, {s: m.operation for s, m in created.items()}
        )
        if not endless:
            self._until_ended(name)

    @rule(data=st.data())
    def one_creates_on_nothing(self, data: st.DataObject) -> None:
        """A base model that is not there: refused, and nothing is made."""
        free = [name for name in self.names if name not in self.made]
        if free:
            request = replace(self._request(data, free[0], endless=False), base=NO_BASE)
            answers = self._all(lambda side: side.provider.create(request))
            assert set(answers.values()) <= _NO_BASE, answers

    @rule(
        data=st.data(),
        display=st.none() | st.sampled_from(["Next number", "Ü – 数", "x" * 40]),
        text=st.none() | st.sampled_from(["Says it.", with_mark("Says it.", MARK), ""]),
        sampling=st.builds(
            Sampling, st.sampled_from([None, 0.0, 0.5]), st.sampled_from([None, 0.25]), st.sampled_from([None, 1, 7])
        ),
    )
    def one_updates(self, data: st.DataObject, display: str | None, text: str | None, sampling: Sampling) -> None:
        """Any fields of any model, there or not; or no field at all."""
        name = data.draw(st.sampled_from(self.names))
        change = ModelPatch(display_name=display, description=text, sampling=sampling)
        answers = self._all(lambda side: side.provider.update(name, change))
        if name not in self.made:
            assert set(answers.values()) == {"Rejected not_found"}, answers
            return
        made = self.made[name]
        given = {k: v for k, v in _sampling(sampling).items() if v is not None}
        made.sampling = Sampling(**(_sampling(made.sampling) | given))
        self._same(name, answers)

    @rule(data=st.data(), which=st.sampled_from(["known", "looked up", "old", "made up", "of another"]))
    def one_cancels(self, data: st.DataObject, which: str) -> None:
        """A run that goes on, one that has ended, one that never was; by its operation or by a wrong one."""
        name = data.draw(st.sampled_from(self.names))
        made = self.made.get(name)

        def operation(side: str) -> str:
            match which:
                case "known":
                    return made.operations[side] if made else f"{name}/operations/none"
                case "old":
                    return self.old.get(name, {}).get(side, f"{name}/operations/none")
                case "made up":
                    return f"{name}/operations/none"
                case "of another":
                    return "tunedModels/somebody-else/operations/none"
                case _:
                    return ""

        answers = self._all_named(lambda key, side: side.provider.cancel(name, operation(key)))
        right = made is not None and which in {"known", "looked up"}
        assert set(answers.values()) == {None if right else "Rejected not_found"}, answers
        if right and made is not None and made.endless:
            made.endless = False
            self.stopped.add(name)
            self._until_ended(name)

    @rule(data=st.data())
    def one_deletes(self, data: st.DataObject) -> None:
        """Also while it tunes, and also what is gone already: that is success."""
        name = data.draw(st.sampled_from(self.names))
        answers = self._delete(name)
        assert set(answers.values()) == {None}, answers
        self.stopped.discard(name)
        gone = self.made.pop(name, None)
        if gone is not None:
            self.old[name] = gone.operations

    @rule(data=st.data())
    def one_asks_for_an_answer(self, data: st.DataObject) -> None:
        """An active model answers some text, any other refuses in the same words."""
        name = data.draw(st.sampled_from(self.names))
        active = name in self.made and not self.made[name].endless and name not in self.stopped
        asked = self.sides
        if active and self.answered:
            asked = {key: side for key, side in self.sides.items() if key != SLOW}
        self.answered.extend(["yes"] * active)
        answers = self._all_named(lambda _, side: side.provider.generate(name, "number 3"), asked)
        if active:
            assert all(map(_is_text, answers.values())), answers
        said = {"answer" if _is_text(answer) else answer for answer in answers.values()}
        assert len(said) == 1, answers

    @precondition(lambda self: self.made)
    @rule(data=st.data(), other=st.sampled_from(["models/tiny", "tunedModels/a/b", "tunedModels/a?b", "", "alpha"]))
    def one_names_what_is_no_model(self, data: st.DataObject, other: str) -> None:
        """Refused before anything is sent."""
        verb = data.draw(st.sampled_from(["update", "generate", "cancel"]))
        asked: dict[str, Callable[[Provider], Coroutine[Any, Any, object]]] = {
            "update": lambda provider: provider.update(other, ModelPatch(display_name="x")),
            "generate": lambda provider: provider.generate(other, "x"),
            "cancel": lambda provider: provider.cancel(other, ""),
        }
        answers = self._all(lambda side: asked[verb](side.provider))
        assert {str(answer).partition(" ")[0] for answer in answers.values()} == {"Rejected"}, answers

    @invariant()
    def all_show_the_same(self) -> None:
        """Presence, texts, states, what was given of sampling and hyperparameters; base models."""
        want = ObserveRequest(frozenset(self.names), frozenset({BASE, NO_BASE}))
        seen = self._all(lambda side: side.provider.observe(want))
        assert all(one.complete and not one.error for one in seen.values()), seen
        for name in self.names:
            wanted = Presence.FOUND if name in self.made else Presence.ABSENT
            assert {one.presence(name) for one in seen.values()} == {wanted}, (name, seen)
            if name in self.made:
                self._same(name, {side: one.models[name] for side, one in seen.items()})
        for base in (BASE, NO_BASE):
            # What is noted of a base stands with each provider: it is none of what a service answers.
            assert len({replace(one.base_models[base], note="") for one in seen.values()}) == 1, seen

    def _same(self, name: str, models: Mapping[str, Any]) -> None:
        shown = {side: _shown(model, self.made[name]) for side, model in models.items()}
        assert len({repr(one) for one in shown.values()}) == 1, shown

    def _until_ended(self, name: str) -> None:
        for key, side in self.sides.items():
            deadline, steps = time.monotonic() + _SECONDS, 0
            while True:
                model = side.run(side.provider.observe(ObserveRequest(frozenset({name})))).models[name]
                assert model.progress.completed_steps >= steps, (key, model)
                steps = model.progress.completed_steps
                if model.state in _ENDS:
                    break
                assert model.state is RemoteState.CREATING, (key, model)
                assert time.monotonic() < deadline, (key, model)
                side.settle()

    def _request(self, data: st.DataObject, name: str, *, endless: bool) -> CreateRequest:
        return CreateRequest(
            model=name,
            base=BASE,
            display_name=data.draw(st.sampled_from(["", "Alpha", "Ä 数"])),
            description=data.draw(st.sampled_from(["", "text", with_mark("kept text", MARK)])),
            hyperparameters=Hyperparameters(
                epoch_count=ENDLESS if endless else data.draw(st.sampled_from([1, 2])),
                batch_size=data.draw(st.sampled_from([None, 4])),
                learning_rate=data.draw(st.sampled_from([None, 0.01])),
            ),
            sampling=Sampling(temperature=data.draw(st.sampled_from([None, 0.0, 0.75])), top_k=3),
            examples=ROWS,
        )

    def _all(self, call: Callable[[Side], Coroutine[Any, Any, Any]]) -> dict[str, Any]:
        return self._all_named(lambda _, side: call(side))

    def _all_named(
        self, call: Callable[[str, Side], Coroutine[Any, Any, Any]], sides: Mapping[str, Side] | None = None
    ) -> dict[str, Any]:
        """What each answers: the value, or the class of its error and why."""

        async def answer(key: str, side: Side) -> Any:
            try:
                return await call(key, side)
            except Rejected as error:
                return f"Rejected {error.kind}"
            except ProviderError as error:
                return type(error).__name__

        return {key: side.run(answer(key, side)) for key, side in (sides or self.sides).items()}


SHORT = Service(shortest=5.0, longest=10.0)


def _epochs(request: CreateRequest) -> int:
    return request.hyperparameters.epoch_count or 5


def _is_text(answer: object) -> bool:
    return isinstance(answer, ModelAnswer)


def _sampling(sampling: Sampling) -> dict[str, Any]:
    return {"temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": sampling.top_k}


def _shown(model: RemoteModel, made: Made) -> dict[str, object]:
    """What must be the same: all that was given, and how the run stands; defaults are each one's own."""
    resolved, given = model.hyperparameters, made.hyperparameters
    return {
        "name": model.name,
        "state": model.state,
        "base": model.base_model,
        "display": model.display_name,
        "description": model.description,
        "mark": model.mark,
        "sampling": {k: _sampling(model.sampling)[k] for k, v in _sampling(made.sampling).items() if v is not None},
        "epochs": resolved.epoch_count,
        "batch": resolved.batch_size,
        "rate": resolved.learning_rate if given.learning_rate is not None else bool(resolved.learning_rate),
        "why": bool(model.error),
        "completed": bool(model.completed),
        "steps": model.progress.completed_steps if model.state is RemoteState.ACTIVE else None,
        "curve": bool(model.losses) if model.state is RemoteState.ACTIVE else None,
        "created": bool(model.created) and bool(model.updated),
    }


def _sides(embedded: Served, runner: asyncio.Runner, calm: Calm) -> dict[str, Side]:
    real = Rest(embedded.url, ApiKey(Secret("made-up-key"), "a key"), ClientLimits(), None, _timing(), dialect=GOOGLE)
    clock, chance = SimClock(calm.loop), SeededChance()
    timing = Timing(clock.now, clock.monotonic, clock.sleep, chance.uniform)
    key = ApiKey(Secret("made-up-key"), "a key")
    simulated = Rest("http://127.0.0.1:9", key, ClientLimits(), SimTransport(calm.line("http")), timing, dialect=GOOGLE)
    memory = MemoryProvider()
    return {
        "embedded": Side(Gemini("cloud", real, FACTS), runner.run, lambda: time.sleep(0.05)),
        "memory": Side(memory, runner.run, memory.tick),
        "simulated": Side(Gemini("cloud", simulated, FACTS), calm.run, lambda: calm.run(asyncio.sleep(1.0))),
    }


def _timing() -> Timing:
    clock, chance = FakeClock(), SeededChance()
    return Timing(clock.now, clock.monotonic, clock.sleep, chance.uniform)


@pytest.mark.slow
def test_every_tuning_service_answers_the_same(embedded: Served) -> None:
    numbers = count()
    with asyncio.Runner() as runner, Calm() as calm:
        sides = _sides(embedded, runner, calm)
        try:
            hold(lambda: Services(sides, (calm.remote,), next(numbers)), pace(8, 10))
        finally:
            for side in sides.values():
                side.run(side.provider.close())


@pytest.mark.slow
def test_the_simulated_service_answers_the_same_with_and_without_httpx(embedded: Served) -> None:
    """The simulation's short way round httpx is no other service: errors have the same class and kind."""
    numbers = count()
    with asyncio.Runner() as runner, Calm() as calm, Calm() as direct:
        sides = {"simulated": _sides(embedded, runner, calm)["simulated"]}
        short = Gemini("cloud", DirectRest(direct.line("direct")), FACTS)  # type: ignore[arg-type]
        sides["direct"] = Side(short, direct.run, lambda: direct.run(asyncio.sleep(1.0)))
        remotes = (calm.remote, direct.remote)
        hold(lambda: Services(sides, remotes, next(numbers)), pace(20, 15))
        calm.run(sides["simulated"].provider.close())

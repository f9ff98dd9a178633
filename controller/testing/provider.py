"""A Provider in memory: runs advance when told, failures come when asked for, and every paid create is counted."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Literal

from controller.errors import OutcomeUnknown, ProviderError, Rejected, RejectedKind
from controller.ports import CheckResult, CreateRequest, Facts, ModelAnswer, ModelPatch, ObserveRequest
from controller.providers.gemini.facts import FACTS
from controller.state.desired import Sampling
from controller.state.identity import Hyperparameters
from controller.state.observed import BaseModelFacts, LossPoint, ObservedProvider, Progress, RemoteModel, RemoteState

OperationWord = Literal["observe", "create", "update", "cancel", "delete", "generate"]
BEFORE = "2026-01-01T00:00:00Z"
FREE = replace(FACTS, free=True)
SERVER_CHOSEN = replace(FREE, model_prefix="jobs/", id_length=None)


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """One call that reached the provider; ``model`` is "" for a listing."""

    operation: OperationWord
    model: str


@dataclass(frozen=True, slots=True)
class _Failure:
    error: ProviderError
    after: bool


class MemoryProvider:
    """A tuning API in memory.

    ``models`` may be read and edited by a test as somebody with a console would. ``paid`` counts the creates that
    the provider carried out, by model; ``calls`` lists all requests in order; ``cut`` is why the answer to a prompt
    stops before its end. With the facts `SERVER_CHOSEN` it gives new models their ids itself, ``jobs/1`` and on. Models
    ``closed`` or ``shared`` are another account's. It ``folds`` the white space of descriptions, and ``echoes`` what
    was sent in the answer to an update.
    """

    def __init__(
        self,
        key: str = "memory",
        *,
        base_models: Mapping[str, bool] = MappingProxyType({"models/tiny": True}),
        facts: Facts = FREE,
    ) -> None:
        self.key = key
        self.facts = facts
        self.base_models = dict(base_models)
        self.models: dict[str, RemoteModel] = {}
        self.answers: dict[str, dict[str, str]] = {}
        self.cut: dict[str, str] = {}
        self.hidden: set[str] = set()
        self.closed: set[str] = set()
        self.shared: set[str] = set()
        self.time = ""
        self.folds = False
        self.echoes = False
        self.paid: Counter[str] = Counter()
        self.calls: list[RecordedCall] = []
        self._failures: dict[OperationWord, list[_Failure]] = {}

    @property
    def mutations(self) -> list[RecordedCall]:
        """The calls that ask for a change: what must stay empty once everything has settled."""
        return [call for call in self.calls if call.operation in {"create", "update", "cancel", "delete"}]

    def fail(self, operation: OperationWord, error: ProviderError, *, times: int = 1, after: bool = False) -> None:
        """Let the next calls of that operation raise; ``after`` first carries them out, as a lost answer would.

        A failing ``observe`` does not raise: its listing breaks off.
        """
        self._failures.setdefault(operation, []).extend([_Failure(error, after)] * times)

    def tick(self, steps: int = 1) -> None:
        """Let every run that is tuning advance by so many steps; one that has made all of them becomes ACTIVE."""
        for name, model in self.models.items():
            if model.state is RemoteState.CREATING:
                self.models[name] = _advanced(model, steps)

    def finish(self) -> None:
        """Let every run that is tuning end well."""
        for model in list(self.models.values()):
            self.tick(model.progress.total_steps)

    def end(self, model: str, state: RemoteState, error: str = "") -> None:
        """Let one run end in that state."""
        self.models[model] = replace(self.models[model], state=state, error=error, completed=BEFORE)

    async def observe(self, want: ObserveRequest) -> ObservedProvider:
        """All models; those ``hidden`` or ``shared`` only by id; those not there as absent, or as ``closed``."""
        self.calls.append(RecordedCall("observe", ""))
        broken = self._next("observe")
        listed = {} if broken else {n: m for n, m in self.models.items() if n not in self.hidden | self.shared}
        by_id = {n: replace(self.models[n], owned=n in listed) for n in want.models if n in self.models}
        closed = want.models & self.closed - self.models.keys()
        return ObservedProvider(
            key=self.key,
            models=MappingProxyType(listed | by_id),
            base_models=MappingProxyType({name: self._base(name) for name in want.base_models}),
            absent=frozenset(want.models - self.models.keys() - closed),
            closed=frozenset(closed),
            complete=broken is None,
            error=broken.error.message if broken else "",
            hint=broken.error.hint if broken else "",
            time=self.time,
        )

    async def create(self, request: CreateRequest) -> RemoteModel:
        """Start a run. Raises what `fail` was told, or `Rejected` (EXISTS, INVALID)."""
        late = self._enter("create", request.model)
        if not self.facts.chooses_id:
            request = replace(request, model=f"{self.facts.model_prefix}{len(self.paid) + 1}")
        if request.model in self.models or request.model in self.closed:
            raise Rejected(f"{request.model} already exists", kind=RejectedKind.EXISTS, provider=self.key)
        self._demand_tunable(request.base)
        model = _started(request, self.models.get(request.base))
        self.models[request.model] = model
        self.answers[request.model] = {e.text_input: e.output for e in request.examples}
        self._fold(request.model)
        self.paid[request.model] += 1
        self._leave(late)
        return self.models[request.model]

    async def update(self, model: str, change: ModelPatch) -> RemoteModel:
        """Change texts and sampling in place. Raises what `fail` was told, or `Rejected` (NOT_FOUND)."""
        late = self._enter("update", model)
        found = self._demand(model)
        self.models[model] = replace(
            found,
            display_name=found.display_name if change.display_name is None else change.display_name,
            description=found.description if change.description is None else change.description,
            sampling=_merged(found.sampling, change.sampling),
        )
        self._leave(late)
        answer = self.models[model]
        self._fold(model)
        return answer if self.echoes else self.models[model]

    async def cancel(self, model: str, operation: str) -> None:
        """Stop a run that is tuning, by its operation or "" (looked up); one that has ended stays as it is.

        Raises `Rejected` (NOT_FOUND).
        """
        late = self._enter("cancel", model)
        found = self._demand(model)
        if operation not in {"", found.operation}:
            raise Rejected(f"{operation} does not exist", kind=RejectedKind.NOT_FOUND, provider=self.key)
        if found.state is RemoteState.CREATING:
            self.end(model, RemoteState.CANCELLED, "The operation was cancelled.")
        self._leave(late)

    async def delete(self, model: str) -> None:
        """Delete a model; one that is gone already is success."""
        late = self._enter("delete", model)
        self.models.pop(model, None)
        self._leave(late)

    async def generate(self, model: str, prompt: str) -> ModelAnswer:
        """What the model was tuned to say to exactly this prompt, "" to any other. Raises `Rejected`."""
        late = self._enter("generate", model)
        found = self._demand(model)
        if found.state is not RemoteState.ACTIVE:
            raise Rejected(f"{model} is not active", kind=RejectedKind.PRECONDITION, provider=self.key)
        self._leave(late)
        return ModelAnswer(self.answers.get(model, {}).get(prompt, ""), self.cut.get(prompt, ""))

    async def check(self) -> tuple[CheckResult, ...]:
        """Always well."""
        return (CheckResult(self.key, well=True, message="kept in memory"),)

    async def close(self) -> None:
        """Nothing to let go of."""

    def _fold(self, model: str) -> None:
        """Store a description with its white space folded, where it ``folds``; one that ``echoes`` does not say so."""
        found = self.models[model]
        lines = [" ".join(line.split()) for line in found.description.splitlines()]
        if self.folds:
            self.models[model] = replace(found, description="\n".join(lines))

    def _base(self, name: str) -> BaseModelFacts:
        return BaseModelFacts(name, exists=name in self.base_models, tunable=self.base_models.get(name, False))

    def _next(self, operation: OperationWord) -> _Failure | None:
        queue = self._failures.get(operation, [])
        return queue.pop(0) if queue else None

    def _enter(self, operation: OperationWord, model: str) -> _Failure | None:
        self.calls.append(RecordedCall(operation, model))
        failure = self._next(operation)
        if failure and not failure.after:
            raise failure.error
        return failure

    @staticmethod
    def _leave(late: _Failure | None) -> None:
        if late:
            raise late.error

    def _demand(self, model: str) -> RemoteModel:
        if model not in self.models:
            raise Rejected(f"{model} does not exist", kind=RejectedKind.NOT_FOUND, provider=self.key)
        return self.models[model]

    def _demand_tunable(self, base: str) -> None:
        if base not in self.models and not self.base_models.get(base, False):
            raise Rejected(f"{base} cannot be tuned", kind=RejectedKind.INVALID, provider=self.key)


def lost_answer(text: str = "the answer was lost") -> OutcomeUnknown:
    """The error of a request that was carried out and whose answer never came: ``fail("create", …, after=True)``."""
    return OutcomeUnknown(text, hint="Look for it before asking again.")


def _started(request: CreateRequest, source: RemoteModel | None) -> RemoteModel:
    given = request.hyperparameters
    resolved = Hyperparameters(
        epoch_count=given.epoch_count or 5,
        batch_size=given.batch_size or 4,
        learning_rate=given.learning_rate or 0.001 * (given.learning_rate_multiplier or 1.0),
    )
    return RemoteModel(
        name=request.model,
        state=RemoteState.CREATING,
        base_model=source.base_model if source else request.base,
        source_model=source.name if source else "",
        display_name=request.display_name,
        description=request.description,
        sampling=request.sampling,
        hyperparameters=resolved,
        created=BEFORE,
        updated=BEFORE,
        operation=f"{request.model}/operations/1",
        progress=Progress(_steps(sum(1 for _ in request.examples), resolved), 0),
    )


def _steps(examples: int, resolved: Hyperparameters) -> int:
    return math.ceil(examples * (resolved.epoch_count or 1) / (resolved.batch_size or 1)) or 1


def _advanced(model: RemoteModel, steps: int) -> RemoteModel:
    total = model.progress.total_steps
    done = min(total, model.progress.completed_steps + steps)
    ended = done == total
    epochs = model.hyperparameters.epoch_count or 1
    return replace(
        model,
        state=RemoteState.ACTIVE if ended else RemoteState.CREATING,
        completed=BEFORE if ended else "",
        progress=Progress(total, done),
        losses=tuple(LossPoint(s, s * epochs // total, round(4.0 / s, 6), BEFORE) for s in range(1, done + 1)),
    )


def _merged(now: Sampling, change: Sampling) -> Sampling:
    return replace(now, **{name: value for name, value in asdict(change).items() if value is not None})

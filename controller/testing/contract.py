"""A way to make providers to nothing, or to the promise of the Provider port that one of them breaks.

``check_provider`` needs no test framework: it raises `ContractBroken`. Every check makes a provider of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace

from controller.errors import Rejected, RejectedKind
from controller.ports import CreateRequest, ModelAnswer, ModelPatch, ObserveRequest, Provider
from controller.state.desired import Example, Sampling
from controller.state.identity import Hyperparameters, Mark, model_id, with_mark
from controller.state.observed import ObservedProvider, Presence, RemoteModel, RemoteState

_MARK = Mark("contract/checks", "contract-check", 1, "0" * 64)
_EXAMPLES = tuple(Example(f"number {n}", str(n + 1)) for n in range(20))


class ContractBroken(AssertionError):
    """A promise of the Provider port that does not hold."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A provider to check.

    ``base`` is a base model it can tune, ``settle`` lets time pass for it (a tick, or a short wait): called again and
    again, it lets a run of a few dozen steps come to its end.
    """

    provider: Provider
    base: str
    settle: Callable[[], Awaitable[None]]


Make = Callable[[], AbstractAsyncContextManager[Subject]]
Check = Callable[[Subject], Awaitable[None]]


async def check_provider(make: Make) -> None:
    """Raises `ContractBroken` for the first promise that does not hold."""
    for check in CHECKS:
        async with make() as subject:
            await check(subject)


async def created_once(subject: Subject) -> None:
    """A create is found again by whoever lost its answer: by its id where we choose it, else by its mark in a listing.

    An id that we choose may be as long as the facts say, and is a lock: taken once, it is `Rejected` (EXISTS).
    """
    facts, request = subject.provider.facts, _request(subject, "once")
    if facts.id_length is not None:
        longest = model_id("contract-once".ljust(40, "x"), _MARK.fingerprint, 999_999, facts.id_length)
        request = replace(request, model=facts.model_prefix + longest)
    made = await subject.provider.create(request)
    if not facts.chooses_id:
        return await _told_apart(subject, request, made.name)
    _demand(made.name == request.model, "create answers with the model that was asked for")
    await _demand_rejected(subject.provider.create(request), RejectedKind.EXISTS, "a second create")
    seen = await _observe(subject, made.name)
    _demand(made.name in seen.models, "a model that was created is observed")
    return None


async def _told_apart(subject: Subject, request: CreateRequest, first: str) -> None:
    """Where the provider chooses the ids, two creates are two models, and a listing shows both with their mark."""
    second = (await subject.provider.create(request)).name
    prefix = subject.provider.facts.model_prefix
    for name in (first, second):
        _demand(name != prefix and name.startswith(prefix), "create answers with the id that the provider chose")
    _demand(first != second, "a second create is another model, with an id of its own")
    for _ in range(_MOST_LOOKS):
        seen = await subject.provider.observe(ObserveRequest())
        if {first, second} <= seen.models.keys():
            both = seen.models[first].mark == seen.models[second].mark == _MARK
            return _demand(both, "a listing shows the owner mark of a model")
        await subject.settle()
    raise ContractBroken("not so: a listing shows a model whose id nobody knows yet")


async def observed_whole(subject: Subject) -> None:
    """What is not there is ABSENT in a whole observation; base models say whether they exist and can be tuned."""
    nobody = f"{subject.provider.facts.model_prefix}contract-nobody"
    want = ObserveRequest(frozenset({nobody}), frozenset({subject.base, "models/contract-no-such-model"}))
    seen = await subject.provider.observe(want)
    _demand(seen.complete and not seen.error, f"an observation without faults is complete ({seen.error})")
    _demand(seen.key == subject.provider.key, "an observation names its provider")
    _demand(seen.presence(nobody) is Presence.ABSENT, "a model that was never made is absent")
    _demand(seen.base_models[subject.base].tunable, "the base model can be tuned")
    missing = seen.base_models["models/contract-no-such-model"]
    _demand(not missing.exists and not missing.tunable, "a base model that is not there is said to be not there")


async def carried_whole(subject: Subject) -> None:
    """Texts, sampling and training facts come back as they were given, with the owner mark to be read."""
    made = await subject.provider.create(_request(subject, "whole"))
    model = (await _observe(subject, made.name)).models[made.name]
    _demand(model.display_name == "Contract whole", "the display name comes back")
    _demand(model.mark == _MARK, "the owner mark comes back")
    _demand("kept text" in model.description, "the text around the mark comes back")
    _demand(model.base_model == subject.base, "the base model comes back")
    _demand(model.hyperparameters.epoch_count == 2, "the epoch count comes back")  # noqa: PLR2004 - as requested
    _demand(model.sampling.top_k == 7, "the sampling comes back")  # noqa: PLR2004 - as requested


async def run_to_its_end(subject: Subject) -> None:
    """A run goes from CREATING to ACTIVE, its steps only grow, and its loss curve is sorted and finite."""
    made = await subject.provider.create(_request(subject, "run"))
    _demand(made.state in {RemoteState.CREATING, RemoteState.ACTIVE}, "a create starts a run")
    steps = 0
    async for model in _until_settled(subject, made.name):
        _demand(model.progress.completed_steps >= steps, "completed steps never go back")
        steps = model.progress.completed_steps
    _demand(model.state is RemoteState.ACTIVE, f"a good run ends ACTIVE ({model.state}: {model.error})")
    _demand(steps > 0, "a run makes steps")
    _demand([p.step for p in model.losses] == sorted({p.step for p in model.losses}), "losses are sorted by step")
    _demand(len(model.losses) > 0, "a run leaves a loss curve")
    said = await subject.provider.generate(made.name, "number 3")
    _demand(isinstance(said, ModelAnswer), "an active model answers")


async def updated_in_place(subject: Subject) -> None:
    """An update changes what it names and leaves the rest alone; one of a model that is not there is NOT_FOUND."""
    made = await subject.provider.create(_request(subject, "update"))
    before = (await _observe(subject, made.name)).models[made.name]
    answered = await subject.provider.update(made.name, ModelPatch(display_name="New name", sampling=Sampling(top_k=9)))
    after = (await _observe(subject, made.name)).models[made.name]
    for model in (answered, after):
        _demand(model.display_name == "New name", "an update changes the display name")
        _demand(model.sampling == replace(before.sampling, top_k=9), "an update changes only the sampling it names")
        _demand(model.description == before.description, "an update leaves the description alone")
    nobody = f"{subject.provider.facts.model_prefix}contract-nobody"
    gone = subject.provider.update(nobody, ModelPatch(display_name="x"))
    await _demand_rejected(gone, RejectedKind.NOT_FOUND, "an update of nothing")


async def cancelled_for_good(subject: Subject) -> None:
    """A cancelled run ends as CANCELLED or FAILED, keeps its model, and is never ACTIVE."""
    if not subject.provider.facts.can_cancel:
        return
    request = _request(subject, "cancel")
    made = await subject.provider.create(replace(request, hyperparameters=Hyperparameters(epoch_count=100)))
    await subject.provider.cancel(made.name, made.operation)
    end = [model.state async for model in _until_settled(subject, made.name)][-1]
    _demand(end in {RemoteState.CANCELLED, RemoteState.FAILED}, f"a cancelled run is not {end}")


async def deleted_for_good(subject: Subject) -> None:
    """A deleted model is absent, and deleting it again is success."""
    if not subject.provider.facts.can_delete:
        return
    made = await subject.provider.create(_request(subject, "delete"))
    await subject.provider.delete(made.name)
    await subject.provider.delete(made.name)
    seen = await _observe(subject, made.name)
    _demand(seen.presence(made.name) is Presence.ABSENT, "a deleted model is absent")
    await _demand_rejected(subject.provider.generate(made.name, "x"), RejectedKind.NOT_FOUND, "asking a deleted model")


async def refused_base(subject: Subject) -> None:
    """A base model that is not there is refused, and nothing is made."""
    request = replace(_request(subject, "base"), base="models/contract-no-such-model")
    await _demand_rejected(subject.provider.create(request), None, "a create on no base model")
    seen = await subject.provider.observe(ObserveRequest(frozenset({request.model} - {""})))
    made = [model for model in seen.models.values() if model.display_name == request.display_name]
    absent = not request.model or seen.presence(request.model) is Presence.ABSENT
    _demand(absent and not made, "a refused create leaves nothing")


async def asked_for_others_names(subject: Subject) -> None:
    """Names that lead elsewhere are refused before anything is sent."""
    prefix = subject.provider.facts.model_prefix
    for name in (f"{prefix}../models/x", "models/x", f"{prefix}a/b", f"{prefix}a?b", ""):
        await _demand_rejected(subject.provider.update(name, ModelPatch(display_name="x")), None, f"the name {name!r}")


CHECKS: Sequence[Check] = (
    created_once,
    observed_whole,
    carried_whole,
    run_to_its_end,
    updated_in_place,
    cancelled_for_good,
    deleted_for_good,
    refused_base,
    asked_for_others_names,
)
_MOST_LOOKS = 2_000


def _request(subject: Subject, word: str) -> CreateRequest:
    facts = subject.provider.facts
    return CreateRequest(
        model=f"{facts.model_prefix}contract-{word}" if facts.chooses_id else "",
        base=subject.base,
        display_name=f"Contract {word}",
        description=with_mark("kept text", _MARK),
        hyperparameters=Hyperparameters(epoch_count=2, batch_size=4),
        sampling=Sampling(top_k=7),
        examples=_EXAMPLES,
    )


async def _observe(subject: Subject, model: str) -> ObservedProvider:
    return await subject.provider.observe(ObserveRequest(frozenset({model})))


async def _until_settled(subject: Subject, name: str) -> AsyncIterator[RemoteModel]:
    for _ in range(_MOST_LOOKS):
        seen = await _observe(subject, name)
        if name not in seen.models:
            raise ContractBroken(f"{name} vanished while it was tuned ({seen.error})")
        yield seen.models[name]
        if seen.models[name].state not in {RemoteState.CREATING, RemoteState.UNKNOWN}:
            return
        await subject.settle()
    raise ContractBroken(f"{name} never came to an end")


def _demand(holds: bool, promise: str) -> None:  # noqa: FBT001 - the one thing it is given
    if not holds:
        raise ContractBroken(f"not so: {promise}")


async def _demand_rejected(asked: Awaitable[object], kind: RejectedKind | None, what: str) -> None:
    try:
        await asked
    except Rejected as error:
        _demand(kind in {None, error.kind}, f"{what} is Rejected for {kind}, and was for {error.kind} ({error})")
        return
    raise ContractBroken(f"not so: {what} is Rejected")


@asynccontextmanager
async def closing(subject: Subject) -> AsyncIterator[Subject]:
    """The subject for a block, its provider closed at the end: what most ``make`` functions return."""
    try:
        yield subject
    finally:
        await subject.provider.close()

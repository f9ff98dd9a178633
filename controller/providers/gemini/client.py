"""A provider's calls to requests of the Gemini tuning API, and its answers to models."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType

from controller.errors import ControllerError, OutcomeUnknown, ProviderError, Rejected, RejectedKind
from controller.ports import CheckResult, CreateRequest, Facts, ModelAnswer, ModelPatch, ObserveRequest
from controller.providers.gemini.listing import Listing, list_models
from controller.providers.gemini.wire import (
    Operation,
    followed,
    is_base,
    is_model,
    operation_model,
    read_answer,
    read_base,
    read_created,
    read_model,
    read_operation,
    write_create,
    write_update,
)
from controller.providers.google.json_fields import Object, an_object, objects, text
from controller.rest import JSON, Repeat, Rest
from controller.state.observed import BaseModelFacts, ObservedProvider, RemoteModel, RemoteState

# CRUD lives on v1beta alone, operations and their cancel on v1 (the discovery documents of both).
V1BETA, V1 = "/v1beta", "/v1"
_EACH = 0.25  # seconds more to read for each model that is asked for by its name
_LONGEST_READING = 600.0  # seconds; a daemon whose pass takes fifteen minutes counts as stuck

# States whose operation has something to add: progress, or the reason of an end.
_FOLLOWED = frozenset({RemoteState.CREATING, RemoteState.FAILED, RemoteState.UNKNOWN})
_RETIRED = (
    "Google has offered no tunable Gemini model here since May 2025; `type: local` tunes without an account. "
    "See docs/providers.md."
)


@dataclass(frozen=True, slots=True)
class _Fault:
    """Why something could not be seen; ``forbidden``: it was answered that this account may not."""

    error: str
    hint: str
    forbidden: bool = False


class Gemini:
    """The Gemini Developer API, or anything that speaks like it."""

    def __init__(self, key: str, rest: Rest, facts: Facts) -> None:
        self.key = key
        self.facts = facts
        self._rest = rest

    async def observe(self, want: ObserveRequest) -> ObservedProvider:
        """The listing of what the account owns, then by id what is wanted and was not in it.

        Then base models, and the operations of wanted runs.

        All of it has the client's ``reading`` time, and more where more is asked for by its name. Never raises: what
        could not be seen is in ``complete``, ``error`` and ``hint``.
        """
        named = len(want.models) + len(want.base_models)
        seconds = min(self._rest.limits.reading + named * _EACH, _LONGEST_READING)
        return await Gemini(self.key, self._rest.within(seconds), self.facts)._read(want)  # noqa: SLF001 - of the same class

    async def _read(self, want: ObserveRequest) -> ObservedProvider:
        listing = await list_models(self._rest, want.ended)
        missing = sorted(want.models - listing.models.keys())
        looked = dict(zip(missing, await asyncio.gather(*map(self._look, missing)), strict=True))
        found = dict(listing.models)
        found |= {n: replace(m, owned=False) for n, m in looked.items() if isinstance(m, RemoteModel)}
        wanted = [found[n] for n in sorted((want.models - want.ended) & found.keys()) if _unsettled(found[n])]
        found |= {m.name: m for m in await asyncio.gather(*map(self._follow, wanted))}
        bases = await asyncio.gather(*map(self._base, sorted(want.base_models)))
        # Where the same credentials may list all models, what they may not read is of the model alone.
        closed = frozenset() if listing.error else frozenset(n for n, seen in looked.items() if _is_closed(seen))
        fault = _first((*_listed(listing), *(seen for n, seen in looked.items() if n not in closed), *bases))
        return ObservedProvider(
            key=self.key,
            models=MappingProxyType(found),
            base_models=MappingProxyType({b.name: self._noted(b) for b in bases if isinstance(b, BaseModelFacts)}),
            absent=frozenset(name for name, seen in looked.items() if seen is None),
            closed=closed,
            complete=fault is None,
            error=fault.error if fault else "",
            hint=fault.hint if fault else "",
            time=listing.time,
        )

    async def create(self, request: CreateRequest) -> RemoteModel:
        """One POST, never repeated.

        Raises `Rejected` (EXISTS: look), `Transient` (nothing happened), `OutcomeUnknown` (look).
        """
        path, model_id = self._model_path(request.model), request.model.removeprefix(self.facts.model_prefix)
        with self._named():
            answer = await self._rest.request(
                "POST",
                path.rpartition("/")[0],
                {"tunedModelId": model_id},
                write_create(request),
                repeat=Repeat.ONCE,
                deadline=self._rest.limits.long,
            )
            made = read_created(request, answer)
            if made is None:
                raise OutcomeUnknown(
                    f"the answer to the create of {request.model} does not speak of it",
                    hint="Look for it, and for one with another name, before asking again.",
                )
        return made

    async def update(self, model: str, change: ModelPatch) -> RemoteModel:
        """PATCH of the changed fields alone. Raises `ProviderError`."""
        body, mask = write_update(change)
        path = self._model_path(model)
        with self._named():
            if not mask:
                return _understood(await self._get(path), model)
            answer = await self._rest.request("PATCH", path, {"updateMask": mask}, body, repeat=Repeat.HARMLESS)
            return _understood(answer, model)

    async def cancel(self, model: str, operation: str) -> None:
        """POST ``:cancel`` on v1; an operation that is not known is looked up. Raises `ProviderError`."""
        self._model_path(model)
        with self._named():
            name = operation or await self._operation_of(model)
            if operation_model(name) != model:
                raise Rejected(f"{model} has no operation to cancel", kind=RejectedKind.NOT_FOUND)
            await self._rest.request("POST", f"{V1}/{name}:cancel", None, {}, repeat=Repeat.HARMLESS)

    async def delete(self, model: str) -> None:
        """DELETE; one that the API says is not there is success. Raises `ProviderError`."""
        path = self._model_path(model)
        with self._named():
            try:
                await self._rest.request("DELETE", path, repeat=Repeat.HARMLESS)
            except Rejected as error:
                if error.kind is not RejectedKind.NOT_FOUND:
                    raise

    async def generate(self, model: str, prompt: str) -> ModelAnswer:
        """One generateContent. Raises `ProviderError`; a blocked prompt is `Rejected`."""
        body: JSON = {"contents": [{"role": "user", "parts": [{"text": prompt}]}]}
        path = f"{self._model_path(model)}:generateContent"
        with self._named():
            return read_answer(
                await self._rest.request("POST", path, None, body, repeat=Repeat.READ, deadline=self._rest.limits.long)
            )

    async def check(self) -> tuple[CheckResult, ...]:
        """Whether it answers, takes the credentials, may tune, and has a model to tune. Never raises."""
        bound = Gemini(self.key, self._rest.within(self._rest.limits.reading), self.facts)
        return await bound._checked()

    async def _checked(self) -> tuple[CheckResult, ...]:
        models = await self._probe("reachable, credentials accepted", f"{V1BETA}/models")
        if not models.well:
            return (models,)
        tuning = await self._probe("tuned models may be listed", f"{V1BETA}/tunedModels")
        return models, tuning, await self._tunable()

    async def close(self) -> None:
        """Let go of connections."""
        await self._rest.close()

    async def _look(self, name: str) -> RemoteModel | _Fault | None:
        """The model by its id; None is proof that there is none."""
        try:
            return _understood(await self._get(self._model_path(name)), name)
        except ProviderError as error:
            return _unseen(error)

    def _noted(self, base: BaseModelFacts) -> BaseModelFacts:
        known = base.tunable or is_model(base.name)
        return base if known else replace(base, note=self.facts.base_models.untunable)

    async def _base(self, name: str) -> BaseModelFacts | _Fault:
        if is_model(name):
            return await self._tuned_base(name)
        if not is_base(name):
            return BaseModelFacts(name, exists=False, tunable=False)
        try:
            return read_base(name, await self._get(f"{V1BETA}/{name}"))
        except ProviderError as error:
            return _unseen(error) or BaseModelFacts(name, exists=False, tunable=False)

    async def _tuned_base(self, name: str) -> BaseModelFacts | _Fault:
        """Whether a tuned model can be tuned on: it is active, and its own base model is tunable."""
        seen = await self._look(name)
        if seen is None or _is_closed(seen):
            return BaseModelFacts(name, exists=seen is not None, tunable=False)
        if isinstance(seen, _Fault) or seen.state is not RemoteState.ACTIVE or not is_base(seen.base_model):
            return seen if isinstance(seen, _Fault) else BaseModelFacts(name, exists=True, tunable=False)
        below = await self._base(seen.base_model)
        return below if isinstance(below, _Fault) else BaseModelFacts(name, exists=True, tunable=below.tunable)

    async def _follow(self, model: RemoteModel) -> RemoteModel:
        """The model with its operation; as it is where there is none to read.

        One that is said to be ACTIVE may have been cancelled: until its operation could be asked, nobody knows.
        """
        try:
            return followed(model, await self._find_operation(model.name))
        except Rejected:
            return model
        except ProviderError:
            return replace(model, state=RemoteState.UNKNOWN) if model.state is RemoteState.ACTIVE else model

    async def _operation_of(self, model: str) -> str:
        found = await self._find_operation(model)
        return found.name if found else ""

    async def _find_operation(self, model: str) -> Operation | None:
        page = an_object(await self._get(f"{V1}/{model}/operations"))
        read = [found for item in objects(page.get("operations")) if (found := read_operation(item)) is not None]
        ours = [found for found in read if found.model == model]
        # One create makes one operation; where there are more, the one that still runs is the one that matters.
        return next((found for found in ours if not found.done), ours[0] if ours else None)

    async def _get(self, path: str) -> JSON:
        return await self._rest.request("GET", path, repeat=Repeat.READ)

    async def _probe(self, what: str, path: str) -> CheckResult:
        subject = f"{self.key}: {what}"
        try:
            await self._rest.request("GET", path, {"pageSize": "1"}, repeat=Repeat.READ)
        except ControllerError as error:
            return CheckResult(subject, well=False, message=error.message, fix=error.hint)
        return CheckResult(subject, well=True, message=self._rest.endpoint)

    async def _tunable(self) -> CheckResult:
        subject, names, token = f"{self.key}: base models that can be tuned", list[str](), ""
        try:
            for _ in range(10):
                query = {"pageSize": "1000", **({"pageToken": token} if token else {})}
                page = an_object(await self._rest.request("GET", f"{V1BETA}/models", query, repeat=Repeat.READ))
                names += _tunable_names(objects(page.get("models")))
                if not (token := text(page, "nextPageToken")):
                    break
        except ControllerError as error:
            return CheckResult(subject, well=False, message=error.message, fix=error.hint)
        if not names:
            return CheckResult(subject, well=False, message="none", fix=_RETIRED)
        return CheckResult(subject, well=True, message=", ".join(sorted(names)[:20]))

    def _model_path(self, model: str) -> str:
        if not is_model(model):
            raise Rejected("not the name of a tuned model", kind=RejectedKind.INVALID, provider=self.key)
        return f"{V1BETA}/{model}"

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Lets every error that passes say which provider it came from."""
        try:
            yield
        except ProviderError as error:
            error.provider = self.key
            raise


def _unseen(error: ProviderError) -> _Fault | None:
    """Why something could not be seen; None where the answer is proof that it is not there."""
    kind = error.kind if isinstance(error, Rejected) else None
    gone = kind is RejectedKind.NOT_FOUND
    return None if gone else _Fault(error.message, error.hint, forbidden=kind is RejectedKind.FORBIDDEN)


def _is_closed(seen: object) -> bool:
    return isinstance(seen, _Fault) and seen.forbidden


def _unsettled(model: RemoteModel) -> bool:
    """Whether its operation has something to add.

    A cancelled run may be reported as ACTIVE. Its curve then stops before its last epoch, which is how it is known
    without a request for every model that is well.
    """
    if model.state in _FOLLOWED:
        return True
    epochs = model.hyperparameters.epoch_count or 0
    return model.state is RemoteState.ACTIVE and bool(model.losses) and model.losses[-1].epoch < epochs


def _understood(answer: JSON, model: str) -> RemoteModel:
    found = read_model(answer)
    if found is None or found.name != model:
        raise Rejected(f"the answer does not speak of {model}", kind=RejectedKind.RESPONSE)
    return found


def _listed(listing: Listing) -> tuple[_Fault, ...]:
    return (_Fault(listing.error, listing.hint),) if listing.error else ()


def _first(seen: Iterable[object]) -> _Fault | None:
    return next((item for item in seen if isinstance(item, _Fault)), None)


def _tunable_names(models: Iterable[Object]) -> list[str]:
    names: Mapping[str, Object] = {name: model for model in models if is_base(name := text(model, "name"))}
    return [name for name, model in names.items() if read_base(name, model).tunable]

"""The methods of the tuning API: requests in, models and operations out, with the store and the trainers behind."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

import anyio
from anyio import from_thread, to_thread

from controller.server.data_folder import DataFolder
from controller.server.engines.bases import Bases
from controller.server.engines.port import Speaker, SpeakerGone, TunedWeights, WeightsUnfit
from controller.server.log import fresh_letters, now
from controller.server.models import Model, ModelState, TunableModel, render_model, render_operation
from controller.server.prompts import Prompt, read_prompt
from controller.server.requests import EXAMPLES, Draft, read_creation, read_edit, resolve
from controller.server.room import StoreUnusable
from controller.server.status import ApiError, Json, StatusCode, Violation, invalid
from controller.server.store import Store
from controller.server.supervisor import Supervisor

_ID_ATTEMPTS: Final = 8
ANSWERS_AT_ONCE: Final = 4  # they share the cores with the training; more would be done no sooner


class Tuning:
    """Every method of the API about tuned models. All raise `ApiError`, and may be called from several threads, but
    for `generate`, which runs on the event loop and does its work beside it.
    """

    def __init__(self, store: Store, data: DataFolder, bases: Bases, supervisor: Supervisor) -> None:
        self._store, self._data, self._bases, self._supervisor = store, data, bases, supervisor
        self._turns: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()  # there while somebody holds one
        self._answering = anyio.CapacityLimiter(ANSWERS_AT_ONCE)

    def base_models(self, page_size: str | None, _page_token: str | None) -> Json:
        """All base models, on one page."""
        read_page_size(page_size, 50)
        return {"models": [self._render_base(base) for base in self._bases]}

    def base_model(self, model_id: str) -> Json:
        """One base model."""
        return self._render_base(self._base(f"models/{model_id}"))

    def _render_base(self, base: TunableModel) -> Json:
        """A base model that cannot be tuned now is listed without the method."""
        methods: dict[str, Json] = {"supportedGenerationMethods": []} if self._bases.engine(base).why_not(base) else {}
        return base.render() | methods

    def ask_untuned(self, model_id: str) -> Json:
        """What a question to a base model gets."""
        raise ApiError(
            StatusCode.FAILED_PRECONDITION,
            f"{self._base(f'models/{model_id}').name} is untuned and has no weights to serve; "
            "tune it, then ask the tuned model.",
        )

    def _base(self, name: str) -> TunableModel:
        base = self._bases.find(name)
        if base is None:
            raise ApiError(StatusCode.NOT_FOUND, f"Model {name} does not exist.")
        return base

    def create(self, model_id: str | None, raw: Json) -> Json:
        """Keeps a new model and queues its run; the operation."""
        draft = read_creation(model_id, raw)
        base, source = self._ground(draft)
        self._check_rows(draft, base)
        for _ in range(_ID_ATTEMPTS):
            model = _new_model(model_id or _id_from(draft.display_name), base, draft)
            if self._add(model, base, draft, source):
                return self._render_operation(self._get(model.id))
            if model_id is not None:
                raise ApiError(StatusCode.ALREADY_EXISTS, f"Tuned model {model.name} exists already.")
        raise ApiError(StatusCode.INTERNAL, "No free id was found for the model; name one with tunedModelId.")

    def _add(self, model: Model, base: TunableModel, draft: Draft, source: Path | None) -> bool:
        try:
            return self._supervisor.add(model, base, draft.examples, source)
        except FileNotFoundError as fault:
            if source is None:
                raise
            raise ApiError(StatusCode.NOT_FOUND, f"Tuned model {draft.source} was deleted.") from fault

    def _ground(self, draft: Draft) -> tuple[TunableModel, Path | None]:
        """What a new run stands on: its base model and, on top of a tuned model, the weights of that one."""
        name, source = draft.base_model or "", None
        if draft.source is not None:
            model = self._get(draft.source.removeprefix("tunedModels/"))
            if model.state is not ModelState.ACTIVE:
                raise ApiError(
                    StatusCode.FAILED_PRECONDITION,
                    f"{model.name} is {model.state.value}; only an ACTIVE one can be tuned on.",
                )
            name, source = model.base_model, self._data.adapter(model.id)
        base = self._bases.find(name)
        if base is None:
            known = ", ".join(base.name for base in self._bases)
            raise ApiError(
                StatusCode.NOT_FOUND, f"Base model {name} does not exist or cannot be tuned; there is: {known}."
            )
        why = self._bases.engine(base).why_not(base)
        if why:
            raise ApiError(StatusCode.FAILED_PRECONDITION, f"Base model {name} cannot be tuned: {why}")
        return base, source

    def _check_rows(self, draft: Draft, base: TunableModel) -> None:
        """A row that does not fit is refused, before anything is kept: none is ever cut."""
        try:
            faults = self._bases.engine(base).check(base, draft.examples)
        except SpeakerGone as gone:
            raise ApiError(StatusCode.UNAVAILABLE, str(gone)) from gone
        if faults:
            raise invalid(*(Violation(f"{EXAMPLES}[{fault.row}].{fault.field}", fault.why) for fault in faults[:20]))

    def get(self, model_id: str) -> Json:
        """One tuned model."""
        return self._render(self._get(model_id))

    def _render(self, model: Model) -> Json:
        return render_model(model, self._store.snapshots(model.operation), self._bases.sampling(model.base_model))

    def _render_operation(self, model: Model) -> Json:
        return render_operation(model, self._store.snapshots(model.operation), self._bases.sampling(model.base_model))

    def _get(self, model_id: str) -> Model:
        model = self._store.model(model_id)
        if model is None:
            raise ApiError(StatusCode.NOT_FOUND, f"Tuned model tunedModels/{model_id} does not exist.")
        return model

    def list(self, page_size: str | None, token: str | None, query: str | None) -> Json:
        """A page of the tuned models, oldest first, so that a model created meanwhile is still met."""
        size, fits = read_page_size(page_size, 10), _matcher(query)
        found = [model for model in self._store.models(_after(token)) if fits(model)]
        page: list[Json] = [self._render(model) for model in found[:size]]
        return {"tunedModels": page} | _next_page(found, size)

    def patch(self, model_id: str, mask: str | None, raw: Json) -> Json:
        """Changes the mutable fields; the model after it."""
        self._store.edit(model_id, lambda model: read_edit(model, mask, raw), now())
        return self.get(model_id)

    def delete(self, model_id: str) -> Json:
        """Removes the model and all that belongs to it; a run that still trains is ended first."""
        model = self._get(model_id)
        if not self._store.delete(model.seq):
            raise ApiError(StatusCode.NOT_FOUND, f"Tuned model {model.name} does not exist.")
        self._supervisor.discard(model)
        return {}

    def operation(self, model_id: str, operation: str) -> Json:
        """The operation that makes a model."""
        return self._render_operation(self._with_operation(model_id, operation))

    def _with_operation(self, model_id: str, operation: str) -> Model:
        model = self._store.model(model_id)
        if model is None or model.operation != operation:
            raise ApiError(
                StatusCode.NOT_FOUND, f"Operation tunedModels/{model_id}/operations/{operation} does not exist."
            )
        return model

    def operations(self, model_id: str, page_size: str | None, *_: str | None) -> Json:
        """All operations of a model: there is always exactly the one that makes it."""
        read_page_size(page_size, 10)
        return {"operations": [self._render_operation(self._get(model_id))]}

    def cancel(self, model_id: str, operation: str, _body: Json) -> Json:
        """Ends a run; one that has ended already is left as it is, as best effort has it. The message has no fields.

        What becomes of the model Google does not document; here it is FAILED, since it has no weights to answer from.
        """
        model = self._with_operation(model_id, operation)
        if self._store.fail(model.operation, StatusCode.CANCELLED, "The tuning was cancelled.", now()):
            self._supervisor.stop(model.operation)
        return {}

    def health(self) -> Json:
        """``status`` ok, or degraded with a ``message`` while the disk or the system refuses."""
        why = self._supervisor.standstill()
        try:
            self._store.check()
        except StoreUnusable as fault:
            why = str(fault)
        if not why:
            return {"status": "ok"}
        return {"status": "degraded", "message": f"{why} Runs wait, and go on by themselves once there is room."}

    async def generate(self, model_id: str, raw: Json) -> Json:
        """An answer from the trained weights; cancelling it ends the work with the byte that is being drawn.

        The questions to one model are answered one after the other, so that many of them leave room for another
        model's; those that wait hold no thread, so that nothing else waits for them.
        """
        model, prompt, speaker = await to_thread.run_sync(self._question, model_id, raw)
        turn = self._turns.setdefault(model.operation, anyio.Lock())
        draw = partial(self._answer, model, prompt, speaker, from_thread.check_cancelled)
        async with turn:
            return await to_thread.run_sync(draw, limiter=self._answering)

    def _question(self, model_id: str, raw: Json) -> tuple[Model, Prompt, Speaker]:
        """Who is asked, what, and who answers."""
        model = self._get(model_id)
        base = self._base(model.base_model)
        prompt = read_prompt(raw, base, model.sampling)
        if model.state is not ModelState.ACTIVE:
            raise ApiError(
                StatusCode.FAILED_PRECONDITION,
                f"{model.name} is {model.state.value}; only an ACTIVE model has weights to answer from.",
            )
        if model.digest != base.digest:
            raise ApiError(
                StatusCode.FAILED_PRECONDITION,
                f"{base.name} is not the model any more that {model.name} was tuned on; put its files back.",
            )
        return model, prompt, self._bases.speaker(base)

    def _answer(self, model: Model, prompt: Prompt, speaker: Speaker, go_on: Callable[[], None]) -> Json:
        weights = TunedWeights(model.operation, self._data.adapter(model.id))
        try:
            return speaker.answer(weights, prompt, go_on).render(model.name)
        except FileNotFoundError as fault:
            raise ApiError(StatusCode.NOT_FOUND, "The tuned model was deleted.") from fault
        except SpeakerGone as gone:
            raise ApiError(StatusCode.UNAVAILABLE, str(gone)) from gone
        except WeightsUnfit as unfit:
            raise ApiError(StatusCode.FAILED_PRECONDITION, str(unfit)) from unfit


def _new_model(model_id: str, base: TunableModel, draft: Draft) -> Model:
    time = now()
    return Model(
        id=model_id,
        display_name=draft.display_name,
        description=draft.description,
        base_model=base.name,
        digest=base.digest,
        source=draft.source,
        sampling=draft.sampling,
        readers=draft.readers,
        hyperparameters=resolve(draft, base),
        examples=len(draft.examples),
        create_time=time,
        update_time=time,
        operation=fresh_letters(12),
    )


def _id_from(display_name: str) -> str:
    """An id as Google makes one: the display name in lower case with dashes, then letters by chance, 40 at most."""
    slug = re.sub(r"[^a-z0-9]+", "-", display_name.lower()).lstrip("-0123456789")[:27].strip("-")
    return f"{slug or 'tuned'}-{fresh_letters(12)}"


def _matcher(query: str | None) -> Callable[[Model], bool]:
    """The filter of a listing: every word must occur in display name or description.

    owner:me and the like hold for all models here, since one person owns everything, and readers:everyone for none.
    """
    words = [quoted or word for quoted, word in re.findall(r'"([^"]*)"|(\S+)', (query or "").casefold())]
    everyone = "readers:everyone" in words
    text = [word for word in words if word not in {"owner:me", "writers:me", "readers:me", "readers:everyone", "and"}]

    def fits(model: Model) -> bool:
        whole = f"{model.display_name}\n{model.description}".casefold()
        return not everyone and all(word in whole for word in text)

    return fits


def read_page_size(text: str | None, default: int) -> int:
    """The asked page size, cut to 1000 as Google does it; absent or 0 is the default. Raises `ApiError`."""
    text = "0" if text is None else text
    if not text.isascii() or not text.isdigit() or len(text) > 10:  # noqa: PLR2004 -- digits of the largest int32
        raise invalid(Violation("pageSize", "must be a whole number of at least 0"))
    return min(int(text), 1000) or default


def _after(token: str | None) -> int:
    if not token:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token.encode()).decode().removeprefix("after:"))
    except ValueError:
        raise invalid(Violation("pageToken", "is none of this server's")) from None


def _next_page(found: Sequence[Model], size: int) -> dict[str, Json]:
    if len(found) <= size:
        return {}
    return {"nextPageToken": base64.urlsafe_b64encode(f"after:{found[size - 1].seq}".encode()).decode()}

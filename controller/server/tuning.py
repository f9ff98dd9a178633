"""The methods of the tuning API: requests in, models and operations out, with the store and the trainers behind."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from controller.server.base_models import BASES
from controller.server.generate import answer, read_prompt, render_answer
from controller.server.log import fresh_letters, now
from controller.server.models import Model, ModelState
from controller.server.render import render_model, render_operation
from controller.server.requests import Creation, read_creation, read_edit, resolve
from controller.server.status import ApiError, Json, StatusCode, Violation, invalid
from controller.server.store import Store
from controller.server.tiny import Floats
from controller.server.trainers import Trainers
from controller.server.training_run import WeightsUnfit, load_weights

_ID_ATTEMPTS: Final = 8
_MODELS_KEPT: Final = 16


@dataclass(frozen=True, slots=True)
class _Ground:
    """What a new run stands on: its base model and, on top of a tuned model, the weights of that one."""

    base_model: str
    weights: bytes | None


class Tuning:
    """Every method of the API about tuned models. All raise `ApiError`, and may be called from several threads."""

    def __init__(self, store: Store, trainers: Trainers) -> None:
        self._store, self._trainers = store, trainers
        self._weights: Callable[[str], Floats] = lru_cache(maxsize=_MODELS_KEPT)(self._load_weights)
        self._generating = threading.Lock()  # one answer at a time: they share the cores with the training

    def go_on(self) -> None:
        """Starts the runs that are waiting or were broken off when a server on this folder ended."""
        self._trainers.start_due()

    def busy(self) -> bool:
        """Whether any run has not ended."""
        return bool(self._store.unfinished())

    def create(self, model_id: str | None, raw: Json) -> Json:
        """Keeps a new model and queues its run; the operation."""
        asked = read_creation(model_id, raw)
        ground = self._ground(asked)
        for _ in range(_ID_ATTEMPTS):
            model = _new_model(asked, ground)
            if self._store.add(model, asked.examples, ground.weights):
                self._trainers.start_due()
                return render_operation(self._get(model.id), ())
            if asked.id is not None:
                raise ApiError(StatusCode.ALREADY_EXISTS, f"Tuned model {model.name} exists already.")
        raise ApiError(StatusCode.INTERNAL, "No free id was found for the model; name one with tunedModelId.")

    def _ground(self, asked: Creation) -> _Ground:
        source = asked.draft.source
        if source is None:
            name = asked.draft.base_model or ""
            if name not in BASES:
                known = ", ".join(BASES)
                raise ApiError(
                    StatusCode.NOT_FOUND, f"Base model {name} does not exist or cannot be tuned; there is: {known}."
                )
            return _Ground(name, None)
        model = self._get(source.removeprefix("tunedModels/"))
        weights = self._store.weights(model.operation)
        if weights is None:
            raise ApiError(
                StatusCode.FAILED_PRECONDITION,
                f"{model.name} is {model.state.value}; only an ACTIVE one can be tuned on.",
            )
        return _Ground(model.base_model, weights)

    def get(self, model_id: str) -> Json:
        """One tuned model."""
        model = self._get(model_id)
        return render_model(model, self._store.snapshots(model.operation))

    def _get(self, model_id: str) -> Model:
        model = self._store.model(model_id)
        if model is None:
            raise ApiError(StatusCode.NOT_FOUND, f"Tuned model tunedModels/{model_id} does not exist.")
        return model

    def list(self, size: int, token: str | None, query: str | None) -> Json:
        """A page of the tuned models, oldest first, so that a model created meanwhile is still met."""
        fits = _matcher(query)
        found = [model for model in self._store.models(_after(token)) if fits(model)]
        page: list[Json] = [render_model(m, self._store.snapshots(m.operation)) for m in found[:size]]
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
        self._trainers.stop(model.operation)
        return {}

    def operation(self, model_id: str, operation: str) -> Json:
        """The operation that makes a model."""
        model = self._with_operation(model_id, operation)
        return render_operation(model, self._store.snapshots(model.operation))

    def _with_operation(self, model_id: str, operation: str) -> Model:
        model = self._store.model(model_id)
        if model is None or model.operation != operation:
            raise ApiError(
                StatusCode.NOT_FOUND, f"Operation tunedModels/{model_id}/operations/{operation} does not exist."
            )
        return model

    def operations(self, model_id: str) -> Json:
        """All operations of a model: there is always exactly the one that makes it."""
        model = self._get(model_id)
        return {"operations": [render_operation(model, self._store.snapshots(model.operation))]}

    def cancel(self, model_id: str, operation: str) -> Json:
        """Ends a run; one that has ended already is left as it is, as best effort has it.

        What becomes of the model Google does not document; here it is FAILED, since it has no weights to answer from.
        """
        model = self._with_operation(model_id, operation)
        if self._store.fail(model.operation, StatusCode.CANCELLED, "The tuning was cancelled.", now()):
            self._trainers.stop(model.operation)
            self._trainers.start_due()
        return {}

    def generate(self, model_id: str, raw: Json) -> Json:
        """An answer from the trained weights."""
        model = self._get(model_id)
        base = BASES[model.base_model]
        prompt = read_prompt(raw, base, model.sampling)
        if model.state is not ModelState.ACTIVE:
            raise ApiError(
                StatusCode.FAILED_PRECONDITION,
                f"{model.name} is {model.state.value}; only an ACTIVE model has weights to answer from.",
            )
        weights = self._weights(model.operation)
        with self._generating:
            return render_answer(answer(weights, prompt, base), model.name)

    def _load_weights(self, operation: str) -> Floats:
        body = self._store.weights(operation)
        if body is None:
            raise ApiError(StatusCode.NOT_FOUND, "The tuned model was deleted.")
        try:
            return load_weights(body)
        except WeightsUnfit as unfit:
            raise ApiError(StatusCode.FAILED_PRECONDITION, str(unfit)) from unfit


def _new_model(asked: Creation, ground: _Ground) -> Model:
    draft, time = asked.draft, now()
    return Model(
        seq=0,
        id=asked.id or _id_from(draft.display_name or ""),
        display_name=draft.display_name or "",
        description=draft.description or "",
        base_model=ground.base_model,
        source=draft.source,
        sampling=draft.sampling,
        readers=draft.readers or (),
        hyperparameters=resolve(draft, BASES[ground.base_model]),
        examples=len(asked.examples),
        state=ModelState.CREATING,
        create_time=time,
        update_time=time,
        start_time=None,
        complete_time=None,
        operation=fresh_letters(12),
        error_code=None,
        error_message=None,
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

"""A provider whose service chooses the ids: Vertex-like, over the same line, with the mark in the request."""

from __future__ import annotations

from dataclasses import replace

from controller.errors import OutcomeUnknown, ProviderError
from controller.ports import CreateRequest
from controller.providers.gemini.client import Gemini
from controller.providers.gemini.facts import FACTS as GEMINI
from controller.providers.gemini.wire import read_operation, write_create
from controller.rest import Repeat
from controller.state.observed import RemoteModel, RemoteState
from tests.simulation.network import DirectRest

FACTS = replace(GEMINI, id_length=None)


class Vertex(Gemini):
    """Reads, updates, cancels and deletes as the other; only a create does not say what its model is called."""

    def __init__(self, key: str, rest: DirectRest) -> None:
        super().__init__(key, rest, FACTS)  # type: ignore[arg-type]  # stands in for Rest by its shape
        self._direct = rest

    async def create(self, request: CreateRequest) -> RemoteModel:
        """One POST, never repeated; the answer says which id was chosen."""
        body = write_create(replace(request, model=""))
        path = "/v1beta/tunedModels"
        try:
            answer = await self._direct.request("POST", path, {}, body, repeat=Repeat.ONCE, deadline=300.0)
        except ProviderError as error:
            error.provider = self.key
            raise
        operation = read_operation(answer)
        if operation is None:
            raise OutcomeUnknown("the answer to the create does not speak of a model")
        return RemoteModel(
            name=operation.model,
            state=RemoteState.CREATING,
            base_model=request.base,
            display_name=request.display_name,
            description=request.description,
            operation=operation.name,
        )

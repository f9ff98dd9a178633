"""A finished model and what it was tuned from to whether it answers at all."""

from __future__ import annotations

from controller.errors import Rejected
from controller.ports import Provider
from controller.state.desired import DesiredModel

_ANYTHING = "1"


async def probe(provider: Provider, model: str, spec: DesiredModel | None) -> None:
    """One short answer, to the shortest input of its spec (None: it has none any more); what it says does not matter.

    A listing says ACTIVE of a model whose base was retired, too. Raises `Transient` where it has to be asked again and
    `Rejected` where it does not serve; a prompt that is refused for what it says was heard.
    """
    prompt = min((example.text_input for example in spec.dataset.examples), key=len) if spec is not None else _ANYTHING
    try:
        await provider.generate(model, prompt)
    except Rejected as error:
        if not error.is_about_the_prompt:
            raise

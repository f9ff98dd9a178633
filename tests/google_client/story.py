"""A server's URL in, what google-generativeai 0.8.6 saw there as one line of JSON out.

Runs in an environment of its own (dependency group ``google-client``), without pytest and without the controller:
``uv run --isolated --only-group google-client python tests/google_client/story.py URL``.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from typing import Any

warnings.simplefilter("ignore")  # the client says on import that it is no longer supported

import google.generativeai as genai  # noqa: E402 -- after the filter
from google.api_core import exceptions  # noqa: E402

ROWS: Any = [{"text_input": str(n), "output": str(n + 1)} for n in range(1, 10)]
ROWS += [("ten", "eleven"), ["twenty", "twenty one"], ("XI", "XII")]


def main() -> int:
    """The whole life of a model, and of a second one that is cancelled."""
    genai.configure(api_key="any", transport="rest", client_options={"api_endpoint": sys.argv[1]})
    facts = {"bases": bases(), **create(), **use(), **update(), **tune_on(), **cancel(), **delete()}
    sys.stdout.write(json.dumps(facts) + "\n")
    return 0


def bases() -> list[str]:
    """The models the client takes for tunable, by the check Google's tutorial makes."""
    return [model.name for model in genai.list_models() if "createTunedModel" in model.supported_generation_methods]


def create() -> dict[str, Any]:
    """Creates a model and follows it as the tutorial does."""
    operation = genai.create_tuned_model(
        source_model="models/tiny",
        id="counting",
        display_name="Counting",
        description="What comes next",
        training_data=ROWS,
        epoch_count=40,
        batch_size=4,
        learning_rate=0.003,
        temperature=0.0,
    )
    bar_steps = []
    for metadata in operation.wait_bar(disable=True):
        bar_steps.append(metadata.completed_steps)
        time.sleep(0.1)
    model = operation.result(timeout=60)
    again = genai.get_tuned_model("tunedModels/counting")
    try:
        genai.create_tuned_model(source_model="models/tiny", id="counting", training_data=ROWS)
        second = "made twice"
    except exceptions.Conflict:
        second = "conflict"
    losses = [snapshot["mean_loss"] for snapshot in again.tuning_task.snapshots]
    return {
        "total_steps": operation.metadata.total_steps,
        "last_bar_step": bar_steps[-1],
        "result": model.name,
        "state": again.state.name,
        "base_model": again.base_model,
        "snapshots": len(losses),
        "first_loss": losses[0],
        "last_loss": losses[-1],
        "hyperparameters": [
            again.tuning_task.hyperparameters.epoch_count,
            again.tuning_task.hyperparameters.batch_size,
        ],
        "second_create": second,
    }


def use() -> dict[str, Any]:
    """Asks the model for rows it was trained on."""
    model = genai.GenerativeModel("tunedModels/counting")
    answers = {asked: model.generate_content(asked).text for asked in ("3", "ten", "XI")}
    usage = model.generate_content("3").usage_metadata
    return {"answers": answers, "tokens": [usage.prompt_token_count, usage.candidates_token_count]}


def update() -> dict[str, Any]:
    """Updates it by a mapping, and once more by a model with a field changed."""
    genai.update_tuned_model("tunedModels/counting", {"description": "Says the next number"})
    listed = [model.name for model in genai.list_tuned_models(page_size=1)]
    return {"description": genai.get_tuned_model("tunedModels/counting").description, "listed": listed}


def tune_on() -> dict[str, Any]:
    """Tunes on top of the tuned model."""
    operation = genai.create_tuned_model(
        source_model="tunedModels/counting", id="counting-on", training_data=ROWS, epoch_count=1
    )
    model = operation.result(timeout=60)
    return {"source": model.source_model, "source_base": model.base_model}


def cancel() -> dict[str, Any]:
    """Starts a run that would take long and cancels it."""
    operation = genai.create_tuned_model(
        source_model="models/tiny", id="too-long", training_data=ROWS, epoch_count=100_000
    )
    operation.update()
    operation.cancel()
    try:
        operation.result(timeout=30)
        outcome = "finished"
    except exceptions.Cancelled:
        outcome = "cancelled"
    return {"cancel": outcome, "after_cancel": genai.get_tuned_model("tunedModels/too-long").state.name}


def delete() -> dict[str, Any]:
    """Deletes all of them."""
    for name in ("tunedModels/counting", "tunedModels/counting-on", "tunedModels/too-long"):
        genai.delete_tuned_model(name)
    try:
        genai.get_tuned_model("tunedModels/counting")
        gone = "still there"
    except exceptions.NotFound as fault:
        gone = fault.message
    return {"gone": gone, "left": [model.name for model in genai.list_tuned_models()]}


if __name__ == "__main__":
    sys.exit(main())

"""What a dataset is checked against, and the numbers of the tuning guide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from controller.dataset.rows import ReadDataset

TaskType = Literal["classification", "summarization", "search", "other"]

# Google's model-tuning guide of 2025 (ai.google.dev/gemini-api/docs/model-tuning): "as little as 20 examples", at most
# 40,000 characters in and 5,000 out for each example, and these sizes for each kind of task.
FEWEST = 20
LONGEST_INPUT = 40_000
LONGEST_OUTPUT = 5_000
ADVISED: dict[TaskType, tuple[int, int | None]] = {
    "classification": (100, None),
    "summarization": (100, None),  # "100-500+"
    "search": (100, None),
    "other": (100, 500),
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What one dataset has to keep to.

    ``inline_bytes`` caps the examples as JSON, ``output_bytes`` each output as UTF-8 (None: no cap). ``evaluation`` is
    the set the finished run is asked, to be kept apart from this one; ``is_evaluation`` says that this is such a set,
    which may be small.
    """

    task_type: TaskType = "other"
    inline_bytes: int | None = None
    evaluation: ReadDataset | None = None
    is_evaluation: bool = False
    output_bytes: int | None = None

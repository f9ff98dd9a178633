"""What the libraries of this engine say and fetch by themselves: nothing."""

from __future__ import annotations

import os
import warnings
from typing import Final

# Nothing is fetched behind anybody's back, and the journal stays a JSON object a line.
QUIET: Final = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TQDM_DISABLE": "1",
}


def be_quiet() -> None:
    """Before one of them is imported."""
    os.environ.update(QUIET)
    warnings.simplefilter("ignore")

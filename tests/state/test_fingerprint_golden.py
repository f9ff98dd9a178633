"""The fingerprint is frozen: a vector that fails means every model would be paid for again."""

from pathlib import Path

import pytest

from controller.state.identity import Hyperparameters, Training, fingerprint

ONE_PAIR = "4b9e1abb3688eeead97ab427e593f8b90bb8dbe57d13ba122c2b77e66ebda154"
ANOTHER_PAIR = "13eaaa37e8644610fb6eb8a3877149d0072c3551ad85bd53f1e9493222397921"
NO_EXAMPLES = "1159f900cdf8ef5e8ce5e46a038d8398d4ada5fe6584baa2216f6307584b549b"
GUIDE = Hyperparameters(5, 4, 0.001)

# Computed by hand from the definition in docs/datasets.md, without this package.
VECTORS = {
    "2eed22dc4348b06a2c0166c24e18efbea6021e88184545a4b0979d8fd550394f": Training(
        "local", "models/tiny", Hyperparameters(), ONE_PAIR
    ),
    "6ca2308496e34c027775bb3eacd438696452b4ed1723660155992cd5ea19c45d": Training(
        "local", "models/tiny", GUIDE, ONE_PAIR
    ),
    "cad268b1714e2fb21903b36d2f24caa011f13f88925581d8139c7a4d134c3fc8": Training(
        "gemini", "models/tiny", GUIDE, ONE_PAIR
    ),
    "6a7ee831700553a13550b3569b262dd146f8e0b74db5a27fa8a2c35fc8aa0f02": Training(
        "local", "models/gemini-1.5-flash-001-tuning", GUIDE, ONE_PAIR
    ),
    "d3ada89965bd20833c6ee376006563535407e1d8533bbea4a4aae349c6f5157a": Training(
        "local", f"from:{NO_EXAMPLES}", GUIDE, ONE_PAIR
    ),
    "b6d4713e7c5bb1dbece504e2637ae4753451ac270f8e9f91a2b83935491a3bab": Training(
        "local", "models/tiny", Hyperparameters(5, 4, learning_rate_multiplier=1.0), ONE_PAIR
    ),
    "8767b718e439e773d458784a801a18ff435ed054775a4de9e9de24aa9fbb65fd": Training(
        "local", "models/tiny", Hyperparameters(40, 16, 0.00001), ANOTHER_PAIR
    ),
}


@pytest.mark.parametrize("expected", VECTORS)
def test_the_fingerprint_is_what_it_was(expected: str) -> None:
    assert fingerprint(VECTORS[expected]) == expected


def test_a_number_is_what_it_is_however_it_is_written() -> None:
    whole = Training("local", "models/tiny", Hyperparameters(5, 4, learning_rate_multiplier=1), ONE_PAIR)
    tiny = Training("local", "models/tiny", Hyperparameters(5, 4, 1e-3), ONE_PAIR)

    assert fingerprint(whole) == "b6d4713e7c5bb1dbece504e2637ae4753451ac270f8e9f91a2b83935491a3bab"
    assert fingerprint(tiny) == "6ca2308496e34c027775bb3eacd438696452b4ed1723660155992cd5ea19c45d"


def test_the_documentation_lists_vectors_that_hold() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "datasets.md").read_text("utf-8")

    assert sum(vector in page for vector in VECTORS) >= 4

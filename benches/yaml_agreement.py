"""A hundred thousand texts to those that the fast reader and the careful one understand differently: none, or exit 1.

The two have to agree on every value, place and problem; tests/documents reads some thousand of these texts.
"""

from __future__ import annotations

import sys
from random import Random  # noqa: TID251 - seeded: the same texts in every run

from tests.documents.test_yaml_subset import TEXTS, disagreement, read_fast
from tests.documents.written import text

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
FIRST = 1000  # the tests take the seeds below it


def main() -> None:
    """Read them all, and print the texts that are not read alike."""
    fast = differ = 0
    for seed in range(FIRST, FIRST + COUNT // TEXTS):
        chance = Random(seed)  # noqa: S311 - as above
        for _ in range(TEXTS):
            data = text(chance).encode()
            fast += read_fast(data)
            if (found := disagreement(data)) is not None:
                differ += 1
                print(f"seed {seed}: {data!r}\n    {found}")
    print(f"{COUNT:,} texts, {fast:,} of them read fast, {differ} not read alike")
    sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()

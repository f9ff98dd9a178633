"""A seed that breaks a promise to the fewest faults and acts that still break the same one."""

from __future__ import annotations

from tests.simulation.shape import shape_of
from tests.simulation.world import Result, run


def shrink(seed: int, *, most: int = 400) -> Result | None:
    """The smallest run found with at most so many tries; None where the seed breaks nothing."""
    whole = run(shape_of(seed))
    if not whole.violations:
        return None
    invariant = whole.violations[0].invariant
    keys, best, tries = list(whole.keys), whole, 0
    size = max(1, len(keys) // 2)
    while keys and tries < most:
        smaller = None
        for start in range(0, len(keys), size):
            kept = keys[:start] + keys[start + size :]
            tries += 1
            result = run(shape_of(seed, frozenset(kept)))
            if result.violations and result.violations[0].invariant == invariant:
                smaller, best = kept, result
                break
        if smaller is not None:
            keys = smaller
            size = max(1, min(size, len(keys)))
        elif size > 1:
            size = max(1, size // 2)
        else:
            break
    return best

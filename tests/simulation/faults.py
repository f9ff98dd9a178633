"""The catalogue of faults, and a seed (or a recorded schedule) to which of them strike where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.simulation.chance import Draw
from tests.simulation.events import Event, Fault

# kind: (the site it strikes at, how often at full intensity, its number in the list of faults)
CATALOGUE: Mapping[str, tuple[str, float, str]] = {
    "read.dropped": ("read", 0.010, "F15"),
    "read.lost": ("read", 0.010, "F15"),
    "read.500": ("read", 0.012, "F16"),
    "read.503": ("read", 0.010, "F16"),
    "read.429": ("read", 0.010, "F18"),
    "read.garbled": ("read", 0.008, "F25"),
    "read.page": ("read", 0.004, "F25"),
    "read.empty": ("read", 0.004, "F25"),
    "read.401": ("read", 0.004, "F19"),
    "read.slow": ("read", 0.006, "F30"),
    "create.refused": ("create", 0.05, "F34"),
    "create.dropped": ("create", 0.08, "F4"),
    "create.lost": ("create", 0.14, "F15"),
    "create.hangs": ("create", 0.04, "F15"),
    "create.500-before": ("create", 0.06, "F16"),
    "create.500-after": ("create", 0.10, "F16"),
    "create.429": ("create", 0.08, "F18"),
    "create.garbled": ("create", 0.06, "F25"),
    "create.twice": ("create", 0.06, "F37"),
    "create.403": ("create", 0.02, "F19"),
    "write.dropped": ("write", 0.08, "F4"),
    "write.lost": ("write", 0.12, "F15"),
    "write.500-before": ("write", 0.06, "F16"),
    "write.500-after": ("write", 0.08, "F16"),
    "write.429": ("write", 0.06, "F18"),
    "write.garbled": ("write", 0.06, "F25"),
    "write.deaf": ("write", 0.06, "F27"),
    "list.shift": ("list", 0.15, "F23"),
    "list.expired": ("list", 0.06, "F23"),
    "list.circle": ("list", 0.05, "F24"),
    "run.fails": ("run", 0.10, "F27"),
    "run.cancelled": ("run", 0.05, "F27"),
    "run.endless": ("run", 0.06, "F27"),
    "run.dropped": ("run", 0.04, "F38"),
    "run.operation-lost": ("run", 0.08, "F27"),
    "git.unreachable": ("git", 0.04, "F42"),
    "git.unlisted": ("git", 0.03, "F56"),
    "git.unread": ("git.read", 0.02, "F73"),
    "git.time-travel": ("git", 0.06, "F43"),
    "again.wanted": ("again", 0.15, "F71"),
    "again.unmarked": ("again", 0.12, "F29"),
    "again.half": ("again", 0.08, "F56"),
    "ledger.unread": ("ledger.load", 0.03, "F51"),
    "ledger.refused": ("ledger.save", 0.05, "F39"),
    "ledger.answer-lost": ("ledger.save", 0.08, "F40"),
    "pause.ledger": ("pause", 0.03, "F78"),
    "crash.before": ("crash", 0.05, "F3"),
    "crash.acted": ("crash", 0.06, "F5"),
    "crash.after": ("crash", 0.06, "F6"),
    "crash.point": ("point", 0.004, "F1"),
    "clock.jump": ("clock", 0.02, "F76"),
    # of a code host, and of the jobs that it starts
    "host.unreachable": ("host", 0.03, "F81"),
    "host.lost": ("host.write", 0.06, "F81"),
    "host.refused": ("host.write", 0.03, "F81"),
    "job.dropped": ("job", 0.10, "F80"),
    "job.late": ("job", 0.12, "F80"),
    "job.doubled": ("job", 0.10, "F80"),
    "job.again": ("job", 0.12, "F79"),
    "job.cut": ("job", 0.12, "F3"),
    "job.read-only": ("job", 0.05, "F19"),
    # on a time table of their own
    "kill": ("timed", 0.5, "F12"),
    "sigterm": ("timed", 0.3, "F74"),
    "base.retired": ("timed", 0.25, "F36"),
    "ledger.vanished": ("timed", 0.12, "F42"),
    "ledger.rolled-back": ("timed", 0.10, "F41"),
    "console.edited": ("timed", 0.30, "F29"),
    "console.unmarked": ("timed", 0.12, "F29"),
    "console.deleted": ("timed", 0.15, "F28"),
    "console.foreign": ("timed", 0.15, "F17"),
    "console.copied": ("timed", 0.12, "F17"),
    "console.shared": ("timed", 0.12, "F17"),
    "console.closed": ("timed", 0.12, "F17"),
}
CATEGORIES = ("read", "create", "write", "list", "run", "git", "again", "ledger", "pause", "crash", "clock", "timed")
HOSTED = ("host", "job")  # families of their own, met only where there is a code host


def category(kind: str) -> str:
    """The family a swarm turns on or off as one."""
    site = CATALOGUE[kind][0]
    if site == "point":
        return "crash"
    return site.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Schedule:
    """What strikes in a run. ``only`` None: what the seed draws; else exactly these keys."""

    categories: frozenset[str] = frozenset(CATEGORIES)
    intensity: float = 1.0
    only: frozenset[str] | None = None


class Faults:
    """Asked at every site; each site has a stream of its own, and its questions are numbered."""

    def __init__(self, seed: int, schedule: Schedule, log: Callable[[Event], None]) -> None:
        self._seed = seed
        self._schedule = schedule
        self._often = {
            kind: often * schedule.intensity
            for kind, (_, often, _) in CATALOGUE.items()
            if category(kind) in schedule.categories
        }
        self._log = log
        self._asked: Counter[str] = Counter()
        self._streams: dict[str, Draw] = {}
        self.off = False

    def fires(self, site: str, kind: str) -> bool:
        """Whether this one kind strikes here and now."""
        return self._pick(f"{site}/{kind}", (kind,)) != ""

    def pick(self, site: str) -> str:
        """The kind that strikes at a site now; "" for none."""
        return self._pick(site, _AT[site])

    def timed(self, kind: str) -> bool:
        """Whether a fault with a time of its own is on the table of this run."""
        return self._pick(f"timed/{kind}", (kind,), quiet=True) != ""

    def amount(self, key: str, low: float, high: float) -> float:
        """How much, how long: the same for the same key."""
        return Draw(self._seed, f"amount/{key}").between(low, high)

    def strike(self, kind: str, key: str) -> None:
        """Note a fault that came by its own time table."""
        self._log(Fault(kind, key))

    def wanted(self, key: str) -> bool:
        """Whether something with that key (an act of a person, a fault on a time table) belongs to this run."""
        return self._schedule.only is None or key in self._schedule.only

    def _pick(self, site: str, kinds: tuple[str, ...], *, quiet: bool = False) -> str:
        stream = self._streams.get(site)
        if stream is None:
            stream = self._streams[site] = Draw(self._seed, f"faults/{site}")
        share = stream.share()
        self._asked[site] += 1
        if self.off:
            return ""
        found = self._found(site, share, kinds)
        if found and not quiet:
            self._log(Fault(found, f"{site}#{self._asked[site]}:{found}"))
        return found

    def _found(self, site: str, share: float, kinds: tuple[str, ...]) -> str:
        only = self._schedule.only
        if only is not None:
            key = f"{site}#{self._asked[site]}"
            return next((kind for kind in kinds if f"{key}:{kind}" in only), "")
        for kind in kinds:
            often = self._often.get(kind)
            if often is None:
                continue
            share -= often
            if share < 0:
                return kind
        return ""


_AT: Mapping[str, tuple[str, ...]] = {
    place: tuple(kind for kind, (site, _, _) in CATALOGUE.items() if site == place)
    for place in {site for site, _, _ in CATALOGUE.values()}
}

"""All that a decision may rest on, as one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from controller.settings import Policy, Prices
from controller.state.capabilities import Capabilities
from controller.state.desired import Desired, DesiredModel
from controller.state.identity import Mark, model_id
from controller.state.observed import Observed, RemoteModel
from controller.state.recorded import Record, Recorded, Slot


@dataclass(frozen=True, slots=True)
class World:
    """Desired, recorded and observed, who we are, and what may be done.

    ``concurrency`` caps the runs of a provider key (no entry: no cap); ``prices`` are by provider key, and those of the
    ``stale_prices`` too old to keep a budget with. The rest are facts that take a clock or the history of git:
    ``overdue`` models, whose run is past its spec's ``limits.maxDuration``; ``fresh`` ones, made so lately that a
    provider may not show them yet; ``young`` names, whose open intent is no older; ``due`` models, whose tombstone has
    stood for the grace period; ``rewritten`` revisions, which decided on a deletion and have left HEAD's history;
    ``behind``, whether the revision is older than one that was acted on; and the ``month`` (``YYYY-MM``, UTC).
    """

    desired: Desired
    recorded: Recorded
    observed: Observed
    instance: str
    policy: Policy = field(default_factory=Policy)
    capabilities: Mapping[str, Capabilities] = field(default_factory=lambda: MappingProxyType({}))
    concurrency: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    prices: Mapping[str, Prices] = field(default_factory=lambda: MappingProxyType({}))
    stale_prices: frozenset[str] = frozenset()
    overdue: frozenset[str] = frozenset()
    fresh: frozenset[str] = frozenset()
    young: frozenset[str] = frozenset()
    due: frozenset[str] = frozenset()
    rewritten: frozenset[str] = frozenset()
    behind: bool = False
    month: str = ""

    def record_of(self, model: DesiredModel) -> Record | None:
        """The record of a spec, found by its name, else by a former one."""
        records = self.recorded.records
        found = (records[name] for name in (model.name, *model.former_names) if name in records)
        return next(found, None)

    def is_ours(self, remote: RemoteModel, names: tuple[str, ...], fingerprint: str, attempt: int) -> bool:
        """Whether its mark says that we made it, for one of these names, from these inputs."""
        mark = remote.mark
        return mark is not None and any(mark == Mark(self.instance, name, attempt, fingerprint) for name in names)

    def full_name(self, model: DesiredModel) -> str:
        """The remote name that the desired run of a spec has where we choose it; "" where the provider does.

        A model deleted on purpose and wanted again is another incarnation, with another id.
        """
        known = self.capabilities.get(model.provider, Capabilities())
        if not known.chooses_id:
            return ""
        record = self.record_of(model)
        digest = model.fingerprint
        runs = record.runs if record else ()
        gone = sum(run.deleted and (run.fingerprint, run.attempt) == (digest, model.attempt) for run in runs)
        return known.model_prefix + model_id(model.name, digest, model.attempt, 1 + gone)

    def marked(self, provider: str, names: tuple[str, ...], fingerprint: str, attempt: int) -> tuple[RemoteModel, ...]:
        """The models a provider shows under our mark for these inputs, the oldest first; none that we deleted."""
        seen = self.observed.providers.get(provider)
        gone = {run.model for record in self.recorded.records.values() for run in record.runs if run.deleted}
        models = seen.models.values() if seen else ()
        ours = [m for m in models if m.name not in gone and self.is_ours(m, names, fingerprint, attempt)]
        return tuple(sorted(ours, key=lambda m: (m.created, m.name)))


def names_of(model: DesiredModel) -> tuple[str, ...]:
    """The name of a spec and the ones it had before."""
    return (model.name, *model.former_names)


def slot_provider(slot: Slot, record: Record) -> str:
    """The key of the provider that holds a slot's model."""
    return slot.provider or record.provider

"""All that a decision may rest on, as one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from controller.settings import Policy
from controller.state.capabilities import Capabilities
from controller.state.desired import Desired, DesiredModel
from controller.state.identity import Mark, model_id
from controller.state.observed import Observed, RemoteModel
from controller.state.recorded import Record, Recorded, Slot


@dataclass(frozen=True, slots=True)
class World:
    """Desired, recorded and observed, who we are, and what may be done.

    ``overdue`` names the remote models whose run is past its spec's ``limits.maxDuration``; ``concurrency`` caps the
    runs of a provider key (no entry: no cap).
    """

    desired: Desired
    recorded: Recorded
    observed: Observed
    instance: str
    policy: Policy = field(default_factory=Policy)
    capabilities: Mapping[str, Capabilities] = field(default_factory=lambda: MappingProxyType({}))
    concurrency: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    overdue: frozenset[str] = frozenset()

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
        """The remote name that the desired run of a spec has where we choose it."""
        known = self.capabilities.get(model.provider, Capabilities())
        return known.model_prefix + model_id(model.name, model.fingerprint, model.attempt)


def names_of(model: DesiredModel) -> tuple[str, ...]:
    """The name of a spec and the ones it had before."""
    return (model.name, *model.former_names)


def slot_provider(slot: Slot, record: Record) -> str:
    """The key of the provider that holds a slot's model."""
    return slot.provider or record.provider

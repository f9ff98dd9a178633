"""What happens to numbers for Prometheus. No label holds the name of a model: their number has no bound."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.metrics_core import Metric

from controller.daemon.view import hold_of
from controller.plan.actions import Outcome
from controller.state.reasons import Reason
from controller.state.recorded import Record, RunOutcome

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
disable_created_metrics()  # type: ignore[no-untyped-call] # a series of times beside every counter, which nobody asks for
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Gathered:
    """The numbers of several daemons in one, each sample with the label ``repository``."""

    def __init__(self, parts: Mapping[str, Metrics]) -> None:
        self._parts = parts

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self)

    def collect(self) -> Iterable[Metric]:
        """Each family once, with the samples of all."""
        found: dict[str, Metric] = {}
        for repository, part in self._parts.items():
            for family in part.families():
                samples = [s._replace(labels={"repository": repository, **s.labels}) for s in family.samples]
                known = found.setdefault(family.name, family)
                known.samples = samples if known is family else [*known.samples, *samples]
        return found.values()


class Metrics:
    """The counters of one daemon, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        counter, gauge = partial(Counter, registry=self._registry), partial(Gauge, registry=self._registry)
        self._passes = Histogram(
            "gitune_pass_duration_seconds",
            "How long a pass took, by how it ended.",
            ["result"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._looks = counter("gitune_wakes", "Why the daemon looked at everything.", ["cause"])
        self._requests = counter(
            "gitune_provider_requests",
            "Operations asked of a provider, by outcome.",
            ["provider", "operation", "outcome"],
        )
        self._creates = counter("gitune_creates", "Tunings started.", ["provider"])
        self._unreconciled = gauge(
            "gitune_oldest_unreconciled_commit_age_seconds",
            "Seconds since the first commit was seen that no pass has brought to an end; 0 where there is none.",
        )
        self._runs = gauge("gitune_runs", "Recorded runs, by outcome.", ["state"])
        self._models = gauge("gitune_models", "Models in the ledger.")
        self._holds = gauge("gitune_holds", "Models held, by reason.", ["reason"])
        self._leader = gauge("gitune_lease_held", "Whether this daemon holds the lease.")
        self._waits = counter("gitune_rate_limit_waits", "Operations put off by a provider's quota.", ["provider"])
        self._spend = gauge(
            "gitune_spend_upper_bound",
            "The most that the runs in the ledger may have cost, in the currency of the budget.",
        )

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self._registry)

    def families(self) -> Iterable[Metric]:
        """Everything, family by family."""
        return self._registry.collect()

    def passed(self, result: str, seconds: float) -> None:
        """A pass took so long and ended so: see `controller.daemon.loop.Turn`."""
        self._passes.labels(result).observe(seconds)

    def woke(self, causes: Iterable[str]) -> None:
        """A pass begins."""
        for cause in causes:
            self._looks.labels(cause).inc()

    def asked(self, provider: str, operation: str, outcome: str) -> None:
        """A provider was asked, and it came out so."""
        self._requests.labels(provider, operation, outcome).inc()
        if outcome == "rate_limited":
            self._waits.labels(provider).inc()
        if operation == "create" and outcome == "success":
            self._creates.labels(provider).inc()

    def unreconciled(self, seconds: float) -> None:
        """The age of the oldest commit that waits."""
        self._unreconciled.set(max(0.0, seconds))

    def led(self, *, held: bool) -> None:
        """Whether the lease is ours."""
        self._leader.set(held)

    def recorded(self, records: Mapping[str, Record]) -> None:
        """The ledger as it is now."""
        runs = [run for record in records.values() for run in record.runs]
        for outcome in RunOutcome:
            self._runs.labels(outcome).set(sum(run.outcome is outcome for run in runs))
        self._models.set(len(records))
        self._spend.set(sum(run.cost for run in runs if run.cost is not None))

    def held(self, outcomes: Iterable[Outcome]) -> None:
        """The holds of the last pass; a reason that is over goes to 0."""
        reasons = [reason for outcome in outcomes if (reason := hold_of(outcome)) is not None]
        for reason in Reason:
            count = reasons.count(reason)
            if count or self._registry.get_sample_value("gitune_holds", {"reason": reason}) is not None:
                self._holds.labels(reason).set(count)

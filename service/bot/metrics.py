"""What a worker counts: its own work since it started; of the queues it says what the database does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from service.chat.gauges import QUEUES, Queues

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300)


class Metrics:
    """The queue `inbox` holds messages that wait for an answer, `outbox` answers that wait for delivery."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(Queues())

        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(f"slipway_{name}", what, labels, registry=self.registry)

        self._received = counter("received", "Rows that were taken from the queue for the first time", "queue")
        self._done = counter("done", "Rows that were finished: messages answered, answers delivered", "queue")
        self._failures = counter(
            "failed_attempts", "Attempts that came to nothing, by what they failed of", "queue", "kind"
        )
        self._given_up = counter("given_up", "Rows that became dead letters", "queue")
        self._lost = counter("lease_losses", "Results that were dropped: somebody else had the row by then", "queue")
        self._tokens = counter("tokens", "Tokens that providers counted", "direction")
        self._seconds = Histogram(
            "slipway_done_seconds",
            "From the arrival of a row to its end",
            ["queue"],
            buckets=SECONDS,
            registry=self.registry,
        )
        for queue in QUEUES:  # so that a rate over them begins at 0, not with the first event
            for metric in (self._received, self._done, self._given_up, self._lost, self._seconds):
                metric.labels(queue)

    def page(self) -> bytes:
        return generate_latest(self.registry)

    def received(self, queue: str) -> None:
        self._received.labels(queue).inc()

    def done(self, queue: str, waited: float, facts: Mapping[str, Any]) -> None:
        self._done.labels(queue).inc()
        self._seconds.labels(queue).observe(max(0.0, waited))
        for direction in ("input", "output"):
            self._tokens.labels(direction).inc(facts.get(f"{direction}_tokens", 0))

    def failed(self, queue: str, kind: str) -> None:
        self._failures.labels(queue, kind).inc()

    def given_up(self, queue: str) -> None:
        self._given_up.labels(queue).inc()

    def lost(self, queue: str) -> None:
        self._lost.labels(queue).inc()

"""What a worker counts: its own work since it started, and of the queues what the database says at that moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import peewee as pw
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from service.database import connection
from service.faults import is_outage
from service.models import DEAD, LEASED, QUEUED, InboxItem, OutboxItem
from service.models.base import shared_now
from service.models.work import Job

QUEUES: Mapping[str, type[Job]] = {"inbox": InboxItem, "outbox": OutboxItem}
SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300)


class Metrics:
    """The queue `inbox` holds messages that wait for an answer, `outbox` answers that wait for delivery."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(_Queues())

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


class _Queues(Collector):
    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing, so that making the registry asks no database."""
        return ()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        depth = GaugeMetricFamily("slipway_queue_depth", "Rows that wait or are in hand", labels=["queue"])
        age = GaugeMetricFamily("slipway_queue_age_seconds", "Age of the oldest of them", labels=["queue"])
        dead = GaugeMetricFamily("slipway_dead_letters", "Rows that were given up", labels=["queue"])
        is_up = GaugeMetricFamily("slipway_database_up", "1 if the database answered just now")
        try:
            for queue, model in QUEUES.items():
                waiting, oldest, given_up = _look(model)
                depth.add_metric([queue], waiting)
                age.add_metric([queue], oldest)
                dead.add_metric([queue], given_up)
            is_up.add_metric([], 1)
        except pw.PeeweeException as error:
            if not is_outage(error):
                raise
            is_up.add_metric([], 0)
        return depth, age, dead, is_up


def _look(model: type[Job]) -> tuple[int, float, int]:
    """Depth, age of the oldest in seconds, dead letters; each from an index that holds nothing else."""
    with connection():
        waiting = model.select(pw.fn.COUNT(model.id), pw.fn.MIN(model.created_at), pw.fn.MAX(shared_now()))
        row: Any = waiting.where(model.state.in_([QUEUED, LEASED])).tuples().get()
        dead = model.select().where(model.state == DEAD).count()
    depth, oldest, now = row
    return depth, _seconds(oldest, now), dead


def _seconds(oldest: datetime | str | None, now: datetime | str | None) -> float:
    """SQLite hands out the result of an expression as text."""
    if oldest is None or now is None:
        return 0.0
    begin, end = (datetime.fromisoformat(value) if isinstance(value, str) else value for value in (oldest, now))
    return max(0.0, (end - begin).total_seconds())

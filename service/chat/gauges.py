"""The queues as figures for monitoring, looked up in the database at that moment: whoever is asked says the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import peewee as pw
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from service.database import connection
from service.models import DEAD, LEASED, QUEUED, InboxItem, OutboxItem
from service.models.base import shared_now
from service.models.work import Job

QUEUES: Mapping[str, type[Job]] = {"inbox": InboxItem, "outbox": OutboxItem}


class Queues(Collector):
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
        except (pw.OperationalError, pw.InterfaceError):
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

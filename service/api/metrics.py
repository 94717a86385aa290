"""The queues as figures, for monitoring that can't reach the workers' own port."""

from __future__ import annotations

from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from service.api.endpoints import Group
from service.api.tokens import METRICS
from service.chat.gauges import Queues

group = Group("Metrics", "What monitoring reads.")


@group.get("/metrics", scope=METRICS, media=("text/plain",))
def show() -> Response:
    """How much waits, for how long, and what was given up, over all chatbots, in the text format of Prometheus.

    What workers count of their own work is on their own ports."""
    registry = CollectorRegistry()
    registry.register(Queues())
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

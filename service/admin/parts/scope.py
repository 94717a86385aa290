"""One database connection a request, for the requests that need one."""

from __future__ import annotations

from contextlib import ExitStack

from flask import Flask, g, request

from service.database import connection

# Liveness must not depend on the database; readiness and the webhook connect by themselves, if at all.
WITHOUT_DATABASE = frozenset({"static", "bootstrap.static", "health.healthz", "health.readyz", "webhook.receive"})


def init_app(app: Flask) -> None:
    app.before_request(_connect)
    app.teardown_request(_disconnect)


def _connect() -> None:
    if request.endpoint and request.endpoint not in WITHOUT_DATABASE:
        g.connection = ExitStack()
        g.connection.enter_context(connection())


def _disconnect(_error: BaseException | None) -> None:
    opened: ExitStack | None = g.pop("connection", None)
    if opened:
        opened.close()

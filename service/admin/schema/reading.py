"""What the runner remembers, read over the connection that the request has: to connect once more would take the server
longer than all that is asked of it."""

from __future__ import annotations

from flask import current_app

from service.admin.schema.remedies import Remedy, remedies
from service.config import Config
from service.database import proxy
from service.migrate import lock, report
from service.migrate.connection import Connection
from service.migrate.report import Report


def config() -> Config:
    settings: Config = current_app.config["SLIPWAY"]
    return settings


def connected() -> Connection:
    return Connection(proxy.obj.connection(), config().database_url)


def present() -> Report:
    """Raises Refused for a folder that misleads."""
    return report.of(connected(), config().migrations_dir)


def advised(found: Report) -> list[Remedy]:
    """What is not well with it, and with the deploy that may be at work now; the worst first."""
    return remedies(found, lock.holder(connected()))

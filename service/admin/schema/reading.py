"""What the runner remembers, read over the connection that the request has: to connect once more would take the server
longer than all that is asked of it."""

from __future__ import annotations

from flask import current_app

from service.config import Config
from service.database import proxy
from service.migrate import files, plan, report
from service.migrate.connection import Connection
from service.migrate.history import History
from service.migrate.plan import Plan
from service.migrate.report import Report


def config() -> Config:
    settings: Config = current_app.config["SLIPWAY"]
    return settings


def connected() -> Connection:
    return Connection(proxy.obj.connection(), config().database_url)


def present() -> Report:
    """Raises Refused for a folder that misleads."""
    return report.of(connected(), config().migrations_dir)


def planned() -> Plan:
    """What there is to do, without the journal and what else a report tells. Raises as `present`."""
    return plan.make_plan(files.scan(config().migrations_dir), History(connected()).read())

"""Is the process alive, and may traffic be sent to it? For machines, without a sign-in."""

from __future__ import annotations

import logging
from typing import Any

from flask import Blueprint, current_app

from service.config import Config
from service.migrate import gate
from service.migrate.errors import DatabaseUnreachable, MigrateError

pages = Blueprint("health", __name__)
logger = logging.getLogger(__name__)

Answer = tuple[dict[str, Any], int]


@pages.get("/healthz")
def healthz() -> Answer:
    """The process alone: restarting it would not bring a database back."""
    return {"status": "ok"}, 200


@pages.get("/readyz")
def readyz() -> Answer:
    config: Config = current_app.config["SLIPWAY"]
    try:
        verdict = gate.check(config.database_url, config.migrations_dir)
    except DatabaseUnreachable as error:
        _note(str(error))
        return _not_ready("The database can't be reached.")
    except MigrateError as error:
        _note(str(error))
        return _not_ready(str(error))
    if not verdict.is_open:
        _note(verdict.reason)
        return _not_ready(verdict.reason, pending=list(verdict.pending))
    _note("")
    return {"status": "ready", "reason": verdict.reason}, 200


def _not_ready(reason: str, **more: object) -> Answer:
    return {"status": "not ready", "reason": reason, **more}, 503


def _note(reason: str) -> None:
    """Once for each reason, and once when it is over: Docker asks every few seconds, the whole night."""
    told = current_app.extensions.get("not_ready", "")
    if reason == told:
        return
    current_app.extensions["not_ready"] = reason
    if reason:
        logger.warning("Not ready: %s", reason)
    else:
        logger.info("Ready again")

"""What has happened to the schema, and what to run when it is not well. This page changes nothing."""

from __future__ import annotations

from flask import Blueprint, current_app, render_template

from service.config import Config
from service.migrate import report
from service.migrate.errors import MigrateError
from service.migrate.report import Report

pages = Blueprint("migrations", __name__, url_prefix="/migrations")

ATTEMPTS_SHOWN = 50
MEANINGS = {
    "applied": "In the database, and its file is unchanged.",
    "pending": "Not in the database yet.",
    "changed": "Its file was edited after it was applied.",
    "missing": "In the database, but its file is gone.",
    "ahead": "A newer release applied it. Normal after an image was rolled back.",
}


@pages.get("/")
def index() -> str | tuple[str, int]:
    config: Config = current_app.config["SLIPWAY"]
    try:
        found = report.read(config.database_url, config.migrations_dir)
    except MigrateError as error:
        return render_template("migrations.html", failure=str(error)), 503
    return render_template(
        "migrations.html",
        report=found,
        ahead=[entry.name for entry in found.entries if entry.state == "ahead"],
        newest_failed=_newest_failed(found),
        attempts=found.attempts[:ATTEMPTS_SHOWN],
        meanings=MEANINGS,
    )


def _newest_failed(found: Report) -> str:
    """The migration that failed in the last attempt; an older failure has been overcome."""
    newest = next(iter(found.attempts), None)
    return newest.migration if newest and newest.state == "failed" else ""

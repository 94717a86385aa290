"""What has happened to the schema, and what to run when it is not well. These pages change nothing."""

from __future__ import annotations

from typing import NamedTuple

from flask import Blueprint, abort, g, render_template

from service import limits
from service.admin.access.permissions import needs
from service.admin.schema import reading, verification
from service.admin.schema.remedies import is_well, remedies
from service.migrate import files
from service.migrate.errors import MigrateError, Refused
from service.migrate.files import MigrationFile, Outline
from service.migrate.history import History
from service.models import EDITOR

pages = Blueprint("migrations", __name__, url_prefix="/migrations")

ATTEMPTS_SHOWN = 50
ATTEMPTS_OF_ONE = 2000
VERIFICATIONS_A_MINUTE = 6
MEANINGS = {
    "applied": "In the database, and its file is unchanged.",
    "pending": "Not in the database yet.",
    "changed": "Its file was edited after it was applied.",
    "missing": "In the database, but its file is gone.",
    "half": "It, or its rollback, was stopped after it had ended its own transaction: some of it may stand.",
    "ahead": "A newer release applied it. Normal after an image was rolled back.",
}
ORIGINS = {
    "deploy": "a deploy ran it",
    "resolve": "a person recorded it with `migrate resolve`; nothing was run",
    "adopt": "it was there before this history; its checksum was taken over",
}


class Source(NamedTuple):
    name: str
    text: str


@pages.get("/")
def index() -> str | tuple[str, int]:
    try:
        found = reading.present()
        advised = reading.advised(found)
    except MigrateError as error:
        return render_template("migrations/index.html", failure=str(error)), 503
    return render_template(
        "migrations/index.html",
        report=found,
        remedies=advised,
        is_well=is_well(advised),
        attempts=found.attempts[:ATTEMPTS_SHOWN],
        meanings=MEANINGS,
    )


@pages.get("/verify")
@needs(EDITOR)
def verify() -> str | tuple[str, int]:
    """On demand, since it replays every migration beside the live schema."""
    if not limits.take(f"verify {g.user.id}", limit=VERIFICATIONS_A_MINUTE, seconds=60).is_allowed:
        abort(429)
    config = reading.config()
    try:
        found = verification.verified(config.migration_database_url, config.migrations_dir)
    except verification.Failed as failure:
        return render_template("migrations/verify.html", failure=str(failure)), 503
    return render_template("migrations/verify.html", found=found)


@pages.get("/<migration>")
def show(migration: str) -> str | tuple[str, int]:
    try:
        found = reading.present()
    except MigrateError as error:
        return render_template("migrations/index.html", failure=str(error)), 503
    entry = next((entry for entry in found.entries if entry.name == migration), None)
    if entry is None:
        abort(404)
    file = next((file for file in files.scan(reading.config().migrations_dir) if file.name == migration), None)
    return render_template(
        "migrations/show.html",
        entry=entry,
        attempts=History(reading.connected()).attempts(ATTEMPTS_OF_ONE, migration),
        sources=_sources(file) if file else [],
        outline=_outline(file) if file else None,
        remedies=[remedy for remedy in remedies(found, "") if migration in remedy.what],
        meaning=MEANINGS[entry.state],
        origin=ORIGINS.get(entry.origin or "", entry.origin),
    )


def _sources(file: MigrationFile) -> list[Source]:
    """The file, and the one that undoes it if there is one."""
    paths = [path for path in (file.path, file.down) if path]
    return [Source(path.name, path.read_text("utf-8-sig", errors="replace")) for path in paths]


def _outline(file: MigrationFile) -> Outline | None:
    """What the file says about itself; nothing where it can't be read as what it should be."""
    try:
        return files.outline(file)
    except Refused:
        return None

"""Version 1 for every chatbot, and for every conversation the version of its chatbot.

Killed in the middle, the next deploy goes on with the chatbots that are left; the totals count them all."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import peewee as pw
from peewee_migrate import Migrator

atomic = False

logger = logging.getLogger("migrations")

SETTINGS = (
    "system_prompt",
    "model_provider",
    "model_name",
    "pinecone_namespace",
    "vector_namespace",
    "config",
    "rag_settings",
    "ingestion_run_ids",
)


def migrate(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    Chatbot = migrator.orm["chatbots"]
    is_left = Chatbot.current_version.is_null()
    migrator.run(announce, Chatbot, is_left)
    give = functools.partial(give_first_version, migrator)
    versions = migrator.backfill(Chatbot, give, where=is_left, batch=100, max_errors=None)
    migrator.run(sum_up, versions)


def rollback(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    """Let go of the versions without deleting them: they are what people wrote."""
    migrator.sql("UPDATE conversations SET chatbot_version_id = NULL")
    migrator.sql("UPDATE chatbots SET current_version_id = NULL")


def verify(database: pw.Database) -> Iterator[tuple[str, int, int]]:
    for label, table, column in (
        ("Chatbots with versions", "chatbots", "current_version_id"),
        ("Conversations with a version", "conversations", "chatbot_version_id"),
    ):
        done, total = database.execute_sql(f"SELECT count({column}), count(*) FROM {table}").fetchone()
        yield label, done, total


def announce(Chatbot: Any, is_left: Any) -> None:
    count = Chatbot.select().where(is_left).count()
    logger.info("Found %d %s to migrate", count, plural(count, "chatbot"))


def sum_up(versions: Any) -> None:
    done, errors = versions.tally.done - versions.tally.failed, versions.tally.failed
    logger.info("Migrated: %d %s", done, plural(done, "chatbot"))
    logger.info("Errors: %d %s", errors, plural(errors, "chatbot"))


def give_first_version(migrator: Migrator, chatbot: Any) -> dict[str, Any]:
    """One chatbot that can't be migrated does not stop the others: it is named, and gets its version on first use."""
    try:
        version = newest_version(migrator, chatbot)
        count = hand_out(migrator, chatbot, version)
    except (LookupError, pw.IntegrityError, pw.DataError) as error:
        logger.info("  - chatbot %d: %s", chatbot.id, error)
        raise
    assigned = f"assigned {count} {plural(count, 'conversation')}" if count else "no conversations to assign"
    logger.info("  - chatbot %d: created version 1, %s", chatbot.id, assigned)
    return {"current_version": version}


def newest_version(migrator: Migrator, chatbot: Any) -> Any:
    """Found, where versions were made before, or else made."""
    Version = migrator.orm["chatbot_versions"]
    version = Version.select().where(Version.chatbot == chatbot).order_by(Version.number.desc()).first()
    if version is not None:
        return version
    settings = {name: getattr(chatbot, name) for name in SETTINGS}
    author = first_user(migrator, chatbot.creator_id)
    return Version.create(chatbot=chatbot, number=1, created_by=author, created_at=utc_now(), **settings)


def hand_out(migrator: Migrator, chatbot: Any, version: Any) -> int:
    """To the conversations of the chatbot that have no version; returns how many."""
    Conversation = migrator.orm["conversations"]
    belongs = (Conversation.chatbot == chatbot) & Conversation.chatbot_version.is_null()
    return int(Conversation.update(chatbot_version=version).where(belongs).execute())


def first_user(migrator: Migrator, creator: int) -> Any:
    CreatorUser = migrator.orm["creator_users"]
    membership = CreatorUser.select().where(CreatorUser.creator == creator).order_by(CreatorUser.id).first()
    if membership is None:
        raise LookupError(f"creator {creator} has no associated user; it gets version 1 on first use")
    return membership.user_id


def plural(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"


def utc_now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)

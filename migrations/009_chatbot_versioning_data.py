"""Version 1 for every chatbot, and for every conversation the version of its chatbot."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import peewee as pw
from peewee_migrate import Migrator

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
    migrator.run(give_first_versions, migrator, database)


def rollback(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    """Let go of the versions without deleting them: they are what people wrote."""
    migrator.sql("UPDATE conversations SET chatbot_version_id = NULL")
    migrator.sql("UPDATE chatbots SET current_version_id = NULL")


def give_first_versions(migrator: Migrator, database: pw.Database) -> None:
    """One chatbot that can't be migrated does not stop the others: it is named, and gets its version on first use."""
    Chatbot = migrator.orm["chatbots"]
    chatbots = list(Chatbot.select().where(Chatbot.current_version.is_null()).order_by(Chatbot.id))
    logger.info("Found %d %s to migrate", len(chatbots), plural(len(chatbots), "chatbot"))
    errors = 0
    for chatbot in chatbots:
        try:
            with database.atomic():
                count = give_first_version(migrator, chatbot)
        except (LookupError, pw.IntegrityError, pw.DataError) as error:
            errors += 1
            logger.info("  - chatbot %d: %s", chatbot.id, error)
        else:
            assigned = f"assigned {count} {plural(count, 'conversation')}" if count else "no conversations to assign"
            logger.info("  - chatbot %d: created version 1, %s", chatbot.id, assigned)
    done = len(chatbots) - errors
    logger.info("Migrated: %d %s", done, plural(done, "chatbot"))
    logger.info("Errors: %d %s", errors, plural(errors, "chatbot"))


def give_first_version(migrator: Migrator, chatbot: Any) -> int:
    """Make, or find, a chatbot's newest version and hand it to the conversations that have none; returns how many."""
    Version, Conversation = migrator.orm["chatbot_versions"], migrator.orm["conversations"]
    version = Version.select().where(Version.chatbot == chatbot).order_by(Version.number.desc()).first()
    if version is None:
        settings = {name: getattr(chatbot, name) for name in SETTINGS}
        author = first_user(migrator, chatbot.creator_id)
        version = Version.create(chatbot=chatbot, number=1, created_by=author, created_at=utc_now(), **settings)
    type(chatbot).update(current_version=version).where(type(chatbot).id == chatbot.id).execute()
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

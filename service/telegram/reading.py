"""Reading an update: what in it is for the bot to answer. Decides, and touches nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from telegram import Message, MessageEntity, Update

from service.chat.commands import Command, parse
from service.telegram.client import Me

MENTIONS, ALL = "mentions", "all"
WANTED = [Update.MESSAGE, Update.EDITED_MESSAGE]

# What a message may hold instead of text, and what to call it. The order matters: a GIF is a document as well.
THINGS = {
    "animation": "GIF",
    "photo": "photo",
    "video": "video",
    "sticker": "sticker",
    "voice": "voice message",
    "video_note": "video message",
    "audio": "audio file",
    "document": "file",
    "venue": "place",
    "location": "location",
    "contact": "contact",
    "poll": "poll",
    "dice": "dice",
    "story": "story",
    "game": "game",
}


@dataclass(frozen=True)
class Incoming:
    """A message for the inbox. An edited one stands for what is there already under its message_id."""

    external_id: str
    thread: str
    content: str
    metadata: dict[str, Any]
    is_edited: bool


@dataclass(frozen=True)
class Moved:
    """A group became a supergroup, under another number."""

    old: int
    new: int


@dataclass(frozen=True)
class Passed:
    """Not for the bot; the reason is for the log."""

    reason: str


Reading = Incoming | Moved | Passed


class Malformed(Exception):
    """No update."""


def decode(payload: object, me: Me, groups: str) -> tuple[int, Reading]:
    """The number of an update that came as JSON, and its reading; Malformed for anything else."""
    try:
        update = Update.de_json(payload)  # type: ignore[arg-type]  # it is to find out
        if not (isinstance(update.update_id, int) and 0 <= update.update_id < 2**63):
            raise Malformed("An update has a number.")
        return update.update_id, read(update, me, groups)
    except Exception as error:  # the library checks nothing, and trips over whatever is not there
        raise Malformed(f"{type(error).__name__} while reading an update.") from error


def read(update: Update, me: Me, groups: str) -> Reading:
    """`groups` says which messages of a group are for the bot: MENTIONS, those that address it, or ALL."""
    message = update.message or update.edited_message
    if message is None:
        return Passed("is no message")
    if message.migrate_to_chat_id:
        return Moved(message.chat.id, message.migrate_to_chat_id)
    said, thing = (message.text or message.caption or "").strip(), _thing(message)
    if not said and not thing:
        return Passed("holds nothing to answer")
    text = _without_mention(said, me)
    command = parse(text)
    if not _is_meant(message, command, me, groups):
        return Passed("is not for this bot")
    return Incoming(
        external_id=_external_id(update, message, me, has_text=bool(said)),
        thread=thread_of(message),
        content=text or said or f"({thing})",
        metadata=_metadata(message) | _given(aside="command" if command else None if said else thing, attachment=thing),
        is_edited=update.message is None,
    )


def thread_of(message: Message) -> str:
    topic = _topic(message)
    return f"{message.chat.id}/{topic}" if topic else str(message.chat.id)


def _is_meant(message: Message, command: Command | None, me: Me, groups: str) -> bool:
    if command and command.addressee:
        return command.addressee.lower() == me.username.lower()
    if message.chat.type == message.chat.PRIVATE:
        return True
    if command:  # in a group, what this bot doesn't know is for another one
        return command.is_known
    if message.is_automatic_forward:
        return False
    return groups == ALL or _is_reply_to(message, me) or _mentions(message, me)


def _is_reply_to(message: Message, me: Me) -> bool:
    """Every message of a topic counts as a reply to the service message that opened it; that is none."""
    earlier = message.reply_to_message
    return bool(earlier and not earlier.forum_topic_created and earlier.from_user and earlier.from_user.id == me.number)


def _mentions(message: Message, me: Me) -> bool:
    kinds: list[str | None] = [MessageEntity.MENTION, MessageEntity.TEXT_MENTION]
    found = message.parse_entities(kinds) if message.text else {}
    found |= message.parse_caption_entities(kinds) if message.caption else {}
    return any(
        words.lower() == f"@{me.username}".lower() or (entity.user is not None and entity.user.id == me.number)
        for entity, words in found.items()
    )


def _without_mention(text: str, me: Me) -> str:
    """Without the bot's own name at the beginning."""
    return re.sub(rf"\A@{re.escape(me.username)}\b[\s,:]*", "", text, flags=re.IGNORECASE)


def _thing(message: Message) -> str | None:
    return next((name for kind, name in THINGS.items() if getattr(message, kind)), None)


def _external_id(update: Update, message: Message, me: Me, *, has_text: bool) -> str:
    """An album comes as a message for each picture; those without a text are one thing to answer."""
    if message.media_group_id and not has_text:
        return f"{me.number}/album {message.media_group_id}"
    return f"{me.number}/{update.update_id}"


def _topic(message: Message) -> int | None:
    """Plain replies in groups carry a thread number too; only a topic is a talk of its own."""
    return message.message_thread_id if message.is_topic_message else None


def _metadata(message: Message) -> dict[str, Any]:
    earlier, sender = message.reply_to_message, message.from_user
    return _given(
        chat_id=message.chat.id,
        chat_type=message.chat.type,
        message_thread_id=_topic(message),
        message_id=message.message_id,
        reply_to=earlier.message_id if earlier and not earlier.forum_topic_created else None,
        sender=sender.full_name if sender else None,
    )


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}

"""What of an update is for the bot. As Telegram sends it, through the real library, and nothing is touched."""

from __future__ import annotations

from typing import Any

import pytest
from telegram import Update

from service.telegram.client import Me
from service.telegram.reading import ALL, MENTIONS, THINGS, Incoming, Moved, Passed, Reading, read
from tests.support.bot_api import ME, NUMBER, USERNAME, message

GROUP = {"id": -100, "type": "supergroup", "title": "Team"}
NOT_FOR_US = Passed("is not for this bot")


def reading(groups: str = MENTIONS, **update: Any) -> Reading:
    decoded = Update.de_json({"update_id": 10, **update})
    return read(decoded, Me(NUMBER, USERNAME), groups)


def read_message(text: str | None, groups: str = MENTIONS, **more: Any) -> Incoming:
    incoming = reading(groups, message=message(3, text, **more))
    assert isinstance(incoming, Incoming), incoming
    return incoming


def in_group(text: str | None, groups: str = MENTIONS, **more: Any) -> Reading:
    return reading(groups, message=message(3, text, group=GROUP, **more))


def mention(offset: int, length: int, **more: Any) -> list[dict[str, Any]]:
    return [{"type": "mention", "offset": offset, "length": length, **more}]


def test_a_private_message_is_one_of_its_chat_and_the_sender_is_known() -> None:
    assert read_message(" Hello ") == Incoming(
        external_id="4242/10",
        thread="7",
        content="Hello",
        metadata={"chat_id": 7, "chat_type": "private", "message_id": 3, "sender": "Ada L."},
        is_edited=False,
    )


def test_a_topic_of_a_group_is_a_thread_of_its_own_but_a_plain_reply_is_not() -> None:
    topic = read_message("Hi", ALL, group=GROUP, message_thread_id=5, is_topic_message=True)
    assert (topic.thread, topic.metadata["message_thread_id"]) == ("-100/5", 5)
    reply = read_message("Hi", ALL, group=GROUP, message_thread_id=2)
    assert (reply.thread, "message_thread_id" in reply.metadata) == ("-100", False)


def test_what_a_message_replies_to_is_kept() -> None:
    assert read_message("Yes", reply_to_message=message(2, "Really?")).metadata["reply_to"] == 2


@pytest.mark.parametrize(
    ("text", "entities"),
    [
        ("Hello @harbour_bot", mention(6, 12)),
        ("😀 @HARBOUR_BOT hi", mention(3, 12)),  # offsets are UTF-16 units
        ("Hello desk", [{"type": "text_mention", "offset": 6, "length": 4, "user": ME}]),
    ],
)
def test_in_a_group_a_message_that_names_the_bot_is_for_it(text: str, entities: list[dict[str, Any]]) -> None:
    incoming = in_group(text, entities=entities)
    assert isinstance(incoming, Incoming)
    assert incoming.content == text


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("Hello everybody", {}),
        ("Hello @harbour_bot2", {"entities": mention(6, 13)}),
        ("An address like x@harbour_bot", {}),
        ("To Ada", {"reply_to_message": message(2, "Hi")}),
        ("/help@other_bot", {}),
        ("/weather Oslo", {}),
    ],
)
def test_in_a_group_what_addresses_somebody_else_is_passed_over(text: str, more: dict[str, Any]) -> None:
    assert in_group(text, **more) == NOT_FOR_US


def test_in_a_group_a_reply_to_the_bot_is_for_it() -> None:
    ours = {**message(2, "Can I help?"), "from": ME}
    assert isinstance(in_group("Yes", reply_to_message=ours), Incoming)


def test_in_a_topic_that_the_bot_opened_not_every_message_is_a_reply_to_it() -> None:
    opening = {**message(2, "", forum_topic_created={"name": "Desk", "icon_color": 1}), "from": ME}
    assert in_group("Hello everybody", reply_to_message=opening, is_topic_message=True) == NOT_FOR_US


@pytest.mark.parametrize("text", ["Hello everybody", "To Ada"])
def test_all_messages_of_groups_are_read_where_that_is_wanted(text: str) -> None:
    assert isinstance(in_group(text, ALL), Incoming)
    assert in_group("/weather Oslo", ALL) == NOT_FOR_US
    assert in_group("From our channel", ALL, is_automatic_forward=True) == NOT_FOR_US


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("@harbour_bot, where is it?", "where is it?"),
        ("@Harbour_Bot  where?", "where?"),
        ("@harbour_bot", "@harbour_bot"),
        ("@harbour_bot2 where?", "@harbour_bot2 where?"),
    ],
)
def test_the_name_at_the_beginning_is_no_part_of_the_message(text: str, content: str) -> None:
    assert read_message(text).content == content


@pytest.mark.parametrize("text", ["/help", "/help@harbour_bot", "/HELP@Harbour_Bot", "@harbour_bot /help"])
def test_a_command_is_marked_as_such_also_in_a_group(text: str) -> None:
    assert read_message(text).metadata["aside"] == "command"
    incoming = in_group(text, entities=mention(0, 12) if text.startswith("@") else [])
    assert isinstance(incoming, Incoming)
    assert incoming.metadata["aside"] == "command"


def test_in_private_an_unknown_command_is_answered_too() -> None:
    assert read_message("/weather Oslo").metadata["aside"] == "command"
    assert read_message("/etc/hosts is missing").metadata.get("aside") is None


def test_the_caption_of_a_picture_is_its_text() -> None:
    incoming = read_message(None, caption="What is this?")
    assert (incoming.content, incoming.metadata["attachment"]) == ("What is this?", "photo")
    assert "aside" not in incoming.metadata


def test_a_picture_without_words_is_an_aside() -> None:
    incoming = read_message(None)
    assert (incoming.content, incoming.metadata["aside"]) == ("(photo)", "photo")


def test_an_album_without_words_is_one_thing_to_answer() -> None:
    first, second = (read_message(None, media_group_id="99") for _ in range(2))
    assert first.external_id == second.external_id == "4242/album 99"
    assert read_message(None, media_group_id="99", caption="These").external_id == "4242/10"


@pytest.mark.parametrize(
    ("content", "thing"),
    [
        ({"location": {"latitude": 1.0, "longitude": 2.0}}, "location"),
        ({"dice": {"emoji": "🎲", "value": 3}}, "dice"),
        ({"contact": {"phone_number": "1", "first_name": "B"}}, "contact"),
        ({"voice": {"file_id": "v", "file_unique_id": "u", "duration": 1}}, "voice message"),
        ({"document": {"file_id": "d", "file_unique_id": "u"}}, "file"),
        (
            {
                "animation": {"file_id": "a", "file_unique_id": "u", "width": 1, "height": 1, "duration": 1},
                "document": {"file_id": "a", "file_unique_id": "u"},
            },
            "GIF",
        ),
    ],
)
def test_what_is_no_text_is_called_by_its_name(content: dict[str, Any], thing: str) -> None:
    assert read_message("", **content).metadata["aside"] == thing


@pytest.mark.parametrize("kind", THINGS)
def test_the_library_knows_what_may_come_instead_of_text(kind: str) -> None:
    decoded = Update.de_json({"update_id": 1, "message": message(3, "Hi")})
    assert decoded.message is not None
    assert getattr(decoded.message, kind) in (None, ())


@pytest.mark.parametrize(
    ("update", "reason"),
    [
        ({"channel_post": message(3, "News")}, "is no message"),
        ({"message": message(3, "", new_chat_members=[ME])}, "holds nothing to answer"),
        ({"message": message(3, "  ")}, "holds nothing to answer"),
    ],
)
def test_what_is_not_for_anybody_to_answer_is_passed_over(update: dict[str, Any], reason: str) -> None:
    assert reading(**update) == Passed(reason)


def test_an_edited_message_is_read_like_a_new_one_and_marked() -> None:
    incoming = reading(edited_message=message(3, "Hello!", edit_date=1))
    assert isinstance(incoming, Incoming)
    assert (incoming.content, incoming.is_edited) == ("Hello!", True)


def test_a_group_that_becomes_a_supergroup_has_moved() -> None:
    group = {"id": -5, "type": "group", "title": "Team"}
    assert reading(message=message(3, "", group=group, migrate_to_chat_id=-100)) == Moved(-5, -100)

"""Commands, and what can't be read: answered without a provider, kept, and no part of the talk."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from service.chat import asides, versions
from service.chat.providers import Turn
from service.chat.respond import respond
from service.models import Chatbot, Conversation, CreatorUser, InboxItem, Message, OutboxItem, Persona, User
from tests.support.chat import make_chatbot, make_user, send, transcript
from tests.support.panel import ONE_ENGINE
from tests.support.providers import Recorder

pytestmark = pytest.mark.usefixtures("service_database")


class SomebodyWasFirst(Exception):
    pass


def settle() -> None:
    """Stands for the lease, which these tests are not about."""


def refuse() -> None:
    raise SomebodyWasFirst


def aside(chatbot: Chatbot, text: str, kind: str = "command", settled: Callable[[], None] = settle) -> str:
    item = send(chatbot, text, channel="telegram", chat_id=7, aside=kind)
    return asides.answer(item, settled).content


def say(chatbot: Chatbot, text: str, recorder: Recorder | None = None) -> Message:
    return respond(send(chatbot, text, channel="telegram", chat_id=7), {"offline": recorder or Recorder()}, settle)


def persona_of_the_talk() -> str | None:
    persona = Conversation.get(thread="one").persona
    return persona.name if persona else None


@pytest.fixture
def chatbot() -> Chatbot:
    """One whose people have the personas Ada, Pirate and, switched off, Ghost; and Gone, whose account is closed."""
    ada, bob, gone = make_user("Ada"), make_user("Bob"), make_user("Gone")
    User.update(is_active=False).where(User.id == gone.id).execute()
    made = make_chatbot(user=ada)
    for user in (bob, gone):
        CreatorUser.create(creator=made.creator, user=user)
    Persona.create(user=gone, name="Gone")
    Persona.create(user=bob, name="Pirate", description="Says arr.")
    Persona.create(user=ada, name="Ada")
    Persona.create(user=ada, name="Ghost", is_active=False)
    Persona.create(user=make_user("Stranger"), name="Stranger")
    return made


def test_an_aside_is_kept_and_delivered_but_no_provider_hears_of_it() -> None:
    chatbot, recorder = make_chatbot(), Recorder("Fine.")
    say(chatbot, "Hello", recorder)
    reply = aside(chatbot, "/help")
    say(chatbot, "How are you?", recorder)
    assert transcript()[2:4] == [("user", "/help"), ("assistant", reply)]
    assert recorder.requests[1].history == (
        Turn("user", "Hello"),
        Turn("assistant", "Fine."),
        Turn("user", "How are you?"),
    )
    assert OutboxItem.select().count() == 3


def test_an_aside_that_is_somebody_elses_by_now_changes_nothing(chatbot: Chatbot) -> None:
    say(chatbot, "Hello")
    for text in ("/reset", "/persona Ada"):
        with pytest.raises(SomebodyWasFirst):
            aside(chatbot, text, settled=refuse)
    assert (Conversation.get().thread, persona_of_the_talk()) == ("one", None)
    assert len(transcript()) == 2


@ONE_ENGINE
def test_only_what_its_channel_marks_is_an_aside() -> None:
    assert not asides.is_aside(send(make_chatbot(), "/help"))
    assert asides.is_aside(send(make_chatbot(), "/help", aside="command"))


@ONE_ENGINE
@pytest.mark.parametrize(
    ("text", "kind", "reply"),
    [
        ("/start", "command", "Hello, I am Helper. Write to me, and I answer. /help says what else I can do."),
        (
            "/help",
            "command",
            "Write to me, and I answer. Besides, I know these commands:\n\n/help: what I can do\n"
            "/persona: choose who answers\n/reset: forget our talk and begin a new one\n/start: say hello",
        ),
        ("/weather Oslo", "command", "I don't know /weather. /help says what I can do."),
        (
            "(voice message)",
            "voice message",
            "I can only read text, so I don't know what is in this voice message. Tell me in words.",
        ),
    ],
)
def test_what_is_said_to_an_aside(text: str, kind: str, reply: str) -> None:
    assert aside(make_chatbot(), text, kind) == reply


def test_the_personas_of_the_people_behind_the_chatbot_are_listed(chatbot: Chatbot) -> None:
    assert aside(chatbot, "/persona") == (
        "I can answer as:\n\n1. Ada\n2. Pirate: Says arr.\n\n"
        "/persona with a name or a number chooses one, /persona none ends it."
    )


def test_a_persona_is_chosen_for_the_talk_and_let_go_again(chatbot: Chatbot) -> None:
    assert aside(chatbot, "/persona 2") == "From now on I answer as Pirate."
    assert persona_of_the_talk() == "Pirate"
    assert say(chatbot, "Hello").persona == Persona.get(name="Pirate")
    assert aside(chatbot, "/persona aDa") == "From now on I answer as Ada."
    assert persona_of_the_talk() == "Ada"
    assert aside(chatbot, "/persona none") == "From now on I answer as myself."
    assert Message.select().where(Message.persona.is_null(False)).count() == 1
    assert persona_of_the_talk() is None


@ONE_ENGINE
@pytest.mark.parametrize("wanted", ["Ghost", "Gone", "Stranger", "7"])
def test_a_persona_that_is_not_offered_is_not_chosen(chatbot: Chatbot, wanted: str) -> None:
    assert aside(chatbot, f"/persona {wanted}") == f"There is no persona “{wanted}”. /persona shows them all."
    assert persona_of_the_talk() is None


@ONE_ENGINE
def test_a_chatbot_without_personas_says_so() -> None:
    assert aside(make_chatbot(), "/persona Ada") == "I have no personas to choose from: I answer as myself."


def test_after_a_reset_the_next_message_begins_a_new_talk_with_the_current_version() -> None:
    chatbot, recorder = make_chatbot(), Recorder()
    old = say(chatbot, "Hello").conversation
    assert old is not None
    versions.publish(chatbot, {"system_prompt": "Be long."}, expected=1, author=None)
    aside(chatbot, "/reset")
    new = say(chatbot, "Who are you?", recorder).conversation
    assert new is not None
    assert new.chatbot_version == versions.current(chatbot) != old.chatbot_version
    assert new.thread == "one"
    assert (new.id != old.id, recorder.requests[0].history) == (True, (Turn("user", "Who are you?"),))
    assert [content for _, content in transcript(f"one#{old.id}")][0::2] == ["Hello", "/reset"]


def test_a_thread_can_be_reset_again_and_again_however_long_its_name() -> None:
    chatbot, thread = make_chatbot(), "x" * 120
    for _ in range(3):
        item: InboxItem = send(chatbot, "/reset", thread=thread, aside="command")
        asides.answer(item, settle)
    threads = {talk.thread or "" for talk in Conversation.select()}
    assert (len(threads), thread in threads) == (3, False)
    assert max(map(len, threads)) <= 120


@ONE_ENGINE
def test_a_talk_that_a_command_began_is_named_after_its_first_words() -> None:
    chatbot = make_chatbot()
    aside(chatbot, "/start")
    assert Conversation.get().title == "Untitled"
    say(chatbot, "Where is my parcel?")
    say(chatbot, "Hurry!")
    assert Conversation.get().title == "Where is my parcel?"

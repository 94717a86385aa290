from __future__ import annotations

from typing import Any

import pytest

from service.chat import versions
from service.chat.providers import ProviderError, Turn, built_in
from service.chat.respond import APOLOGY, HISTORY, apologise, respond
from service.models import Chatbot, ChatbotVersion, Conversation, InboxItem, Message, OutboxItem, Persona
from tests.support.chat import make_chatbot, make_user, send, transcript
from tests.support.providers import Failing, Recorder, overloaded

pytestmark = pytest.mark.usefixtures("service_database")
on_sqlite = pytest.mark.parametrize("service_database", ["sqlite"], indirect=True)


class SomebodyWasFirst(Exception):
    pass


def settle() -> None:
    """Stands for the lease, which these tests are not about."""


def refuse() -> None:
    raise SomebodyWasFirst


def answer(item: InboxItem, recorder: Recorder | None = None) -> Message:
    return respond(item, {"offline": recorder or Recorder()}, settle)


def written() -> tuple[int, int, int]:
    return Conversation.select().count(), Message.select().count(), OutboxItem.select().count()


def test_a_message_and_its_answer_are_written_together() -> None:
    item = send(make_chatbot(), "Hello")
    reply = respond(item, built_in(), settle)
    question = reply.reply_to
    assert (question.role, question.content, question.metadata) == ("user", "Hello", {"inbox": item.id})
    assert reply.role == "assistant"
    assert "“Hello”" in reply.content
    talk = Conversation.get()
    assert reply.conversation == talk
    assert (talk.channel, talk.thread, talk.title) == ("panel", "one", "Hello")


@on_sqlite
def test_an_answer_in_the_panel_needs_no_delivery() -> None:
    answer(send(make_chatbot(), "Hello"))
    assert OutboxItem.select().count() == 0


def test_an_answer_elsewhere_waits_in_the_outbox_for_delivery() -> None:
    reply = answer(send(make_chatbot(), "Hello", channel="telegram", chat_id=7, message_id=3))
    outgoing = OutboxItem.get()
    assert (outgoing.message, outgoing.conversation) == (reply, reply.conversation)
    assert (outgoing.channel, outgoing.address) == ("telegram", {"chat_id": 7, "message_id": 3})


def test_the_next_message_of_the_thread_continues_its_conversation() -> None:
    chatbot, recorder = make_chatbot(), Recorder("Noted.")
    first = answer(send(chatbot, "I am Ada."), recorder)
    second = answer(send(chatbot, "Who am I?"), recorder)
    assert second.conversation == first.conversation
    assert recorder.requests[1].history == (
        Turn("user", "I am Ada."),
        Turn("assistant", "Noted."),
        Turn("user", "Who am I?"),
    )
    assert transcript() == [
        ("user", "I am Ada."),
        ("assistant", "Noted."),
        ("user", "Who am I?"),
        ("assistant", "Noted."),
    ]


@on_sqlite
@pytest.mark.parametrize("other", [{"thread": "two"}, {"channel": "telegram"}])
def test_another_thread_or_channel_is_another_conversation(other: dict[str, Any]) -> None:
    chatbot, recorder = make_chatbot(), Recorder()
    answer(send(chatbot, "Mine"), recorder)
    answer(send(chatbot, "Yours", **other), recorder)
    assert recorder.requests[1].history == (Turn("user", "Yours"),)


def test_the_history_is_limited_to_the_newest_messages() -> None:
    chatbot, recorder = make_chatbot(), Recorder()
    for number in range(HISTORY // 2 + 2):
        answer(send(chatbot, f"Question {number}"), recorder)
    history = recorder.requests[-1].history
    assert len(history) == HISTORY + 1
    assert history[0] == Turn("user", "Question 1")


def test_a_conversation_keeps_the_version_that_it_began_with() -> None:
    chatbot, recorder = make_chatbot(system_prompt="Old."), Recorder()
    answer(send(chatbot, "Hello", thread="old"), recorder)
    versions.publish(chatbot, {"system_prompt": "New."}, expected=1, author=None)
    answer(send(chatbot, "Still there?", thread="old"), recorder)
    answer(send(chatbot, "Hello", thread="new"), recorder)
    assert [request.system_prompt for request in recorder.requests] == ["Old.", "Old.", "New."]
    versions_used = ChatbotVersion.select(ChatbotVersion.number).join(Conversation).order_by(Conversation.thread)
    assert [version.number for version in versions_used] == [2, 1]  # threads "new" and "old"


def test_a_conversation_without_a_version_takes_the_current_one() -> None:
    chatbot = make_chatbot()
    Conversation.create(chatbot=chatbot, title="From before versions", channel="panel", thread="one")
    answer(send(chatbot, "Hello"))
    assert Conversation.get().chatbot_version == versions.current(chatbot)


@on_sqlite
def test_the_version_decides_on_model_and_settings() -> None:
    recorder = Recorder()
    answer(send(make_chatbot(model_name="small", config={"temperature": 0}), "Hello"), recorder)
    assert (recorder.requests[0].model, recorder.requests[0].config) == ("small", {"temperature": 0})


def test_the_person_and_their_persona_are_known() -> None:
    ada, recorder = make_user(), Recorder()
    persona = Persona.create(user=ada, name="Pirate", instructions="Speak like a pirate.")
    reply = answer(send(make_chatbot(), "Hello", user_id=ada.id, persona_id=persona.id), recorder)
    assert recorder.requests[0].system_prompt == "Be brief.\n\nSpeak like a pirate."
    assert (reply.persona, reply.reply_to.user, Conversation.get().user) == (persona, ada, ada)


@on_sqlite
@pytest.mark.parametrize(("is_active", "is_own"), [(False, True), (True, False)])
def test_a_persona_that_is_inactive_or_somebody_elses_is_not_used(is_active: bool, is_own: bool) -> None:
    ada, bob, recorder = make_user(), make_user("Bob"), Recorder()
    persona = Persona.create(user=ada, name="Pirate", instructions="Arr.", is_active=is_active)
    speaker = ada if is_own else bob
    answer(send(make_chatbot(), "Hello", user_id=speaker.id, persona_id=persona.id), recorder)
    assert recorder.requests[0].system_prompt == "Be brief."


def test_somebody_who_was_removed_in_the_meantime_still_gets_an_answer() -> None:
    reply = answer(send(make_chatbot(), "Hello", user_id=987))
    assert reply.reply_to.user is None


def test_when_somebody_else_was_first_nothing_is_written() -> None:
    item = send(make_chatbot(), "Hello", channel="telegram")
    with pytest.raises(SomebodyWasFirst):
        respond(item, built_in(), refuse)
    assert written() == (0, 0, 0)


@on_sqlite
@pytest.mark.parametrize("failing", [overloaded(), Failing(ValueError("bug")), Recorder(reply=" \n")])
def test_without_an_answer_nothing_is_written(failing: Failing | Recorder) -> None:
    with pytest.raises((ProviderError, ValueError)):
        respond(send(make_chatbot(), "Hello"), {"offline": failing}, settle)
    assert written() == (0, 0, 0)


@on_sqlite
def test_an_unknown_provider_is_an_error_that_no_repetition_cures() -> None:
    with pytest.raises(ProviderError, match="'oracle' is unknown") as caught:
        respond(send(make_chatbot(model_provider="oracle"), "Hello"), built_in(), settle)
    assert not caught.value.is_temporary


def test_an_apology_reaches_the_person_and_the_reason_stays_with_it() -> None:
    item = send(make_chatbot(), "Hello", channel="telegram", chat_id=7)
    reply = apologise(item, "It is broken.", settle)
    assert transcript() == [("user", "Hello"), ("assistant", APOLOGY)]
    assert reply.metadata == {"error": "It is broken."}
    assert OutboxItem.get().message == reply


def test_answers_are_stored_without_what_no_database_takes() -> None:
    assert answer(send(make_chatbot(), "Hello"), Recorder("A\x00B")).content == "AB"


def test_no_transaction_is_open_while_the_provider_works() -> None:
    depths: list[int] = []

    class Looking(Recorder):
        def stream(self, request: Any) -> Any:
            depths.append(Chatbot._meta.database.transaction_depth())
            return super().stream(request)

    answer(send(make_chatbot(), "Hello"), Looking())
    assert depths == [0]

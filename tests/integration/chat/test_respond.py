from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from service.chat import versions
from service.chat.cancel import Cancelled
from service.chat.context import HISTORY
from service.chat.providers import Cut, ProviderError, Turn, Usage, built_in
from service.chat.respond import APOLOGY, LARGEST, apologise, respond
from service.models import Chatbot, ChatbotVersion, Conversation, InboxItem, Message, OutboxItem, Persona
from service.models.base import utc_now
from tests.support.chat import make_chatbot, make_user, reloaded, send, transcript
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


def test_a_message_without_a_word_in_it_is_answered_as_well() -> None:
    assert answer(send(make_chatbot(), "?!"), Recorder("…")).content == "…"
    assert transcript() == [("user", "?!"), ("assistant", "…")]


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
    assert (reply.persona, reply.reply_to.persona) == (persona, None), "the chatbot speaks as it, not the person"
    assert (reply.reply_to.user, Conversation.get().user) == (ada, ada)


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
    assert (reply.error, reply.metadata) == ("It is broken.", {})
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


def seconds_ago(item: InboxItem, seconds: float) -> InboxItem:
    InboxItem.update(created_at=utc_now() - timedelta(seconds=seconds)).where(InboxItem.id == item.id).execute()
    return reloaded(item)


def test_a_reply_says_how_long_the_person_waited_and_what_it_cost() -> None:
    item = seconds_ago(send(make_chatbot(), "Hello"), 3)
    reply = answer(item, Recorder(chunks=(Usage(100, 7), "Hi.", Usage(20, 3))))
    assert 3000 <= (reply.duration_ms or 0) < 60_000
    assert (reply.input_tokens, reply.output_tokens, reply.error) == (120, 10, None)


@on_sqlite
def test_durations_and_counts_that_no_column_holds_are_capped() -> None:
    item = seconds_ago(send(make_chatbot(), "Hello"), 90 * 24 * 3600)
    reply = answer(item, Recorder(chunks=("Hi.", Usage(10**12, 0))))
    assert (reply.duration_ms, reply.input_tokens) == (LARGEST, LARGEST)


@on_sqlite
def test_tokens_that_nobody_counted_are_unknown() -> None:
    reply = answer(send(make_chatbot(), "Hello"))
    assert (reply.input_tokens, reply.output_tokens) == (None, None)


@on_sqlite
def test_an_answer_that_was_cut_shows_it() -> None:
    reply = answer(send(make_chatbot(), "Hello"), Recorder(chunks=("And then ", Cut())))
    assert (reply.content, reply.metadata) == ("And then …", {"is_cut": True})


def test_the_inbox_knows_the_reply_be_it_an_apology() -> None:
    chatbot = make_chatbot()
    answered, failed = send(chatbot, "Hello"), send(chatbot, "And?")
    reply, apology = answer(answered), apologise(failed, "It is broken.", settle)
    assert (reloaded(answered).reply, reloaded(failed).reply) == (reply, apology)


def test_an_apology_that_is_tried_again_gets_a_new_answer_to_the_same_question() -> None:
    chatbot, recorder = make_chatbot(), Recorder("Noon.")
    item = send(chatbot, "When?")
    apology = apologise(item, "It is broken.", settle)
    answer(send(chatbot, "Hello?"), recorder)
    reply = answer(reloaded(item), recorder)
    assert reply.reply_to == apology.reply_to
    assert reloaded(item).reply == reply
    assert [content for role, content in transcript() if role == "user"] == ["When?", "Hello?"]
    assert recorder.requests[1].history == (Turn("user", "When?"),), "what came later is not part of its history"


@on_sqlite
def test_apologies_are_no_part_of_the_history() -> None:
    chatbot, recorder = make_chatbot(), Recorder()
    apologise(send(chatbot, "When?"), "It is broken.", settle)
    answer(send(chatbot, "Hello?"), recorder)
    assert recorder.requests[0].history == (Turn("user", "When?"), Turn("user", "Hello?"))


@on_sqlite
def test_the_history_is_cut_to_the_versions_budget_and_the_question_never() -> None:
    chatbot, recorder = make_chatbot(config={"history_tokens": 15}), Recorder("Noted.")
    for question in ("Long ago " * 20, "Just now", "What? " * 100):
        answer(send(chatbot, question), recorder)
    assert recorder.requests[-1].history == (
        Turn("user", "Just now"),
        Turn("assistant", "Noted."),
        Turn("user", "What? " * 100),
    )


@on_sqlite
def test_settings_that_no_answer_can_use_are_an_error_that_no_repetition_cures() -> None:
    with pytest.raises(ProviderError, match=r"config.tool_rounds has to be .* Publish a new version") as caught:
        answer(send(make_chatbot(config={"tool_rounds": "many"}), "Hello"))
    assert not caught.value.is_temporary


def chosen(persona: Persona) -> Chatbot:
    chatbot = make_chatbot()
    answer(send(chatbot, "Hello"))
    Conversation.update(persona=persona).execute()
    return chatbot


def test_the_persona_of_the_conversation_speaks_when_the_message_names_none() -> None:
    ada, recorder = make_user(), Recorder()
    pirate = Persona.create(user=ada, name="Pirate", instructions="Arr.")
    poet = Persona.create(user=ada, name="Poet", instructions="In verse.")
    chatbot = chosen(pirate)
    assert answer(send(chatbot, "Hello"), recorder).persona == pirate
    assert answer(send(chatbot, "Hello", user_id=ada.id, persona_id=poet.id), recorder).persona == poet
    assert [request.system_prompt for request in recorder.requests] == ["Be brief.\n\nArr.", "Be brief.\n\nIn verse."]


@on_sqlite
def test_a_persona_that_was_switched_off_no_longer_speaks() -> None:
    pirate = Persona.create(user=make_user(), name="Pirate", instructions="Arr.", is_active=False)
    assert answer(send(chosen(pirate), "Hello")).persona is None


@on_sqlite
def test_an_answer_that_nobody_waits_for_is_dropped_and_nothing_is_written() -> None:
    waiting = iter([False, True])
    with pytest.raises(Cancelled):
        respond(send(make_chatbot(), "Hello"), built_in(), settle, is_cancelled=lambda: next(waiting))
    assert written() == (0, 0, 0)


@on_sqlite
def test_a_question_from_before_a_reset_is_answered_where_it_was_asked() -> None:
    chatbot, recorder = make_chatbot(), Recorder("Noon.")
    item = send(chatbot, "When?")
    apology = apologise(item, "It is broken.", settle)
    Conversation.update(thread="one#1").execute()
    answer(send(chatbot, "A new talk"), recorder)
    reply = answer(reloaded(item), recorder)
    assert reply.conversation == apology.conversation
    assert transcript("one") == [("user", "A new talk"), ("assistant", "Noon.")]

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

import pytest
from flask import Flask

from service.admin.conversations.news import PATIENCE
from service.bot.claim import claim
from service.bot.inbox import INBOX, answer, apologise_and_bury
from service.chat.providers import built_in
from service.database import proxy
from service.models import DEAD, QUEUED, Chatbot, Conversation, InboxItem, Message, Persona, User
from service.models.base import utc_now
from tests.support.chat import make_chatbot
from tests.support.panel import ONE_ENGINE, Browser, fields_of, signed_in


def work() -> None:
    """What the worker does with the next message."""
    lease = claim(INBOX, "the test", 30)
    assert lease
    answer(lease, built_in())


def talk(browser: Browser, content: str) -> str:
    """Begin a conversation; its address."""
    location = browser.submit("/talk/", content=content).location
    assert location
    return location


@ONE_ENGINE
def test_without_a_chatbot_the_page_says_so(browser: Browser) -> None:
    assert "No chatbot yet" in browser.read("/talk/")


def test_a_message_goes_through_the_inbox_to_the_worker_and_its_answer_comes_back(
    browser: Browser, chatbot: Chatbot
) -> None:
    path = talk(browser, "Is berth 12\r\nfree?")
    item, user = InboxItem.get(), User.get()
    assert (item.state, item.channel, item.content) == (QUEUED, "panel", "Is berth 12\nfree?")
    assert item.metadata == {"user_id": user.id}
    waiting = browser.read(path)
    assert "waiting for the bot worker…" in waiting
    assert "Is the answer there?" in waiting

    work()
    page = browser.read(path)
    assert "You wrote: “Is berth 12 free?”." in page
    assert page.count("Is berth 12\nfree?") == 1, "the question is no longer shown as waiting too"
    assert "waiting for" not in page
    assert "Is the answer there?" not in page
    assert Conversation.get().user == user
    assert path in browser.read("/talk/"), "the conversation can be gone on with"


def test_the_fragment_for_the_script_is_the_transcript_alone(browser: Browser, chatbot: Chatbot) -> None:
    path = talk(browser, "Hello")
    waiting = browser.read(f"{path}/messages")
    assert 'data-waiting="soon"' in waiting
    assert "<html" not in waiting
    work()
    assert "data-waiting" not in browser.read(f"{path}/messages")


def test_the_next_message_goes_into_the_same_conversation(browser: Browser, chatbot: Chatbot) -> None:
    path = talk(browser, "One")
    work()
    assert browser.submit(path, content="Two").location == path
    work()
    assert Conversation.select().count() == 1
    assert [message.role for message in Message.select().order_by(Message.id)] == ["user", "assistant"] * 2


def test_who_looks_for_the_answer_gets_back_what_they_are_typing(browser: Browser, chatbot: Chatbot) -> None:
    path = talk(browser, "One")
    typing = browser.fields(path) | {"content": "Two, and"}
    looked = browser.send(path, typing | {"look": "yes"})
    assert (looked.status_code, InboxItem.select().count()) == (200, 1), "nothing is sent"
    assert fields_of(looked.text) == typing
    nothing = browser.send(path, typing | {"content": "", "look": "yes"})
    assert (nothing.status_code, "Type a message." in nothing.text) == (200, False)
    work()
    assert "You wrote: “One”." in browser.send(path, typing | {"look": "yes"}).text
    assert browser.send(path, typing).location == path
    assert [item.content for item in InboxItem.select().order_by(InboxItem.id)][1:] == ["Two, and"]


def test_a_message_sent_twice_by_an_impatient_finger_is_one(browser: Browser, chatbot: Chatbot) -> None:
    fields = browser.fields("/talk/") | {"content": "Hello"}
    first, second = browser.send("/talk/", fields), browser.send("/talk/", fields)
    assert first.location == second.location
    assert InboxItem.select().count() == 1


def test_a_message_that_nobody_answers_says_what_to_look_at(browser: Browser, chatbot: Chatbot) -> None:
    path = talk(browser, "Is anybody there?")
    assert "docker compose logs bot" not in browser.read(path)
    InboxItem.update(created_at=utc_now() - PATIENCE - timedelta(seconds=1)).execute()
    page = browser.read(path)
    assert "docker compose logs bot" in page
    assert 'data-waiting="late"' in page, "it goes on asking, but less often"


def test_a_message_that_was_given_up_shows_the_apology_and_the_reason_once(browser: Browser, chatbot: Chatbot) -> None:
    path = talk(browser, "Unanswerable?")
    lease = claim(INBOX, "the test", 30)
    assert lease
    apologise_and_bury(lease, "The provider refused the key.")
    assert InboxItem.get().state == DEAD
    page = browser.read(path)
    assert page.count("Unanswerable?") == 1
    assert page.count("The provider refused the key.") == 1
    assert "data-waiting" not in page


@ONE_ENGINE
def test_a_message_that_died_without_an_apology_is_still_shown_with_the_reason(
    browser: Browser, chatbot: Chatbot
) -> None:
    path = talk(browser, "Lost?")
    InboxItem.update(state=DEAD, error="Each worker stopped.").execute()
    page = browser.read(path)
    assert "Lost?" in page
    assert "could not be answered: Each worker stopped." in page


def test_somebody_elses_conversation_is_not_there(app: Flask, browser: Browser, chatbot: Chatbot) -> None:
    path = talk(browser, "Private")
    other = signed_in(app, "eve@example.org")
    assert other.get(path).status_code == 404
    assert other.get(f"{path}/messages").status_code == 404
    assert other.submit("/talk/", to=path, content="I am Dana").status_code == 404
    assert path not in other.read("/talk/")
    assert InboxItem.select().count() == 1


@ONE_ENGINE
@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ({"content": "  \n "}, "Type a message."),
        ({"content": "x" * 20_001}, "At most 20,000 characters."),
        ({"content": "Hello", "key": "mine"}, "Load the page again, then send your message."),
    ],
)
def test_what_can_not_be_sent_is_explained(
    browser: Browser, chatbot: Chatbot, typed: Mapping[str, str], complaint: str
) -> None:
    path = talk(browser, "First")
    for address in ("/talk/", path):
        response = browser.submit(address, **typed)
        assert response.status_code == 400
        assert complaint in response.text
        again = fields_of(response.text) | {"content": ""}
        assert "Load the page again" not in browser.send(address, again).text, "the page has a key that is good"
    assert browser.submit("/talk/", content="Hello", chatbot="99").status_code == 400
    assert InboxItem.select().count() == 1


@ONE_ENGINE
def test_an_address_that_names_nothing_is_a_404(browser: Browser, chatbot: Chatbot) -> None:
    thread = f"user-{User.get().id}-abc"
    assert browser.get(f"/talk/{chatbot.id}/{thread}").status_code == 404
    assert browser.get(f"/talk/99/{thread}").status_code == 404


@pytest.mark.parametrize("service_database", ["postgresql"], indirect=True)
def test_an_address_that_no_database_could_hold_is_a_404_too(browser: Browser, chatbot: Chatbot) -> None:
    assert browser.get(f"/talk/{chatbot.id}/user-{User.get().id}-%00").status_code == 404


@pytest.mark.parametrize("service_database", ["postgresql"], indirect=True)
def test_a_refusal_of_the_database_leaves_no_message_text_in_the_log(
    browser: Browser, chatbot: Chatbot, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.obj.execute_sql("ALTER TABLE inbox ADD CONSTRAINT quiet CHECK (content = '')")
    response = browser.submit("/talk/", content="What nobody else may read", chatbot=str(chatbot.id))
    assert response.status_code == 500
    assert re.search(r"the database failed with IntegrityError at service/chat/receive\.py:\d+", caplog.text)
    assert "nobody else" not in caplog.text + response.text


@ONE_ENGINE
def test_the_chatbot_of_a_link_is_chosen_already(browser: Browser, chatbot: Chatbot) -> None:
    other = make_chatbot(title="Another")
    page = browser.read(f"/talk/?chatbot={other.id}")
    assert re.search(rf'<option selected value="{other.id}">', page)


def test_the_persona_that_was_chosen_speaks_from_the_first_answer_on(browser: Browser, chatbot: Chatbot) -> None:
    pirate = Persona.create(user=User.get(), name="Pirate", instructions="Say aye.")
    fields = browser.fields(f"/talk/?persona={pirate.id}")
    assert fields["persona"] == str(pirate.id), "the one of the link is chosen already"
    path = browser.send("/talk/", fields | {"content": "One"}).location
    assert path
    assert InboxItem.get().metadata == {"user_id": User.get().id, "persona_id": pirate.id}
    work()
    assert Conversation.get().persona == pirate
    browser.submit(path, content="Two")
    work()
    answers = Message.select().where(Message.role == "assistant")
    assert [answer.persona for answer in answers] == [pirate, pirate]
    assert "As Pirate." in browser.read(path)


@ONE_ENGINE
def test_only_ones_own_active_personas_can_be_chosen(app: Flask, browser: Browser, chatbot: Chatbot) -> None:
    assert 'name="persona"' not in browser.read("/talk/"), "nothing to choose, so nothing is asked"
    Persona.create(user=User.get(), name="Pirate")
    asleep = Persona.create(user=User.get(), name="Keeper", is_active=False)
    theirs = Persona.create(user=User.create(email="v@example.org", name="Vera", password_hash="-"), name="Mermaid")
    page = browser.read("/talk/")
    assert "Pirate" in page
    assert "Keeper" not in page
    assert "Mermaid" not in page
    for persona in (asleep, theirs):
        response = browser.submit("/talk/", content="One", persona=str(persona.id))
        assert response.status_code == 400
        assert "Not a valid choice." in response.text
    assert not InboxItem.select().exists()

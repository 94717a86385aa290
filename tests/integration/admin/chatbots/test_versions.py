"""The history of a chatbot: any two versions side by side, and going back to one."""

from __future__ import annotations

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from service.admin.chatbots.history import folded
from service.chat import versions
from service.chat.versions import Line
from service.models import VIEWER, AuditEvent, Chatbot, ChatbotVersion, User
from tests.support.chat import make_chatbot
from tests.support.panel import ONE_ENGINE, Browser, add_user, signed_in
from tests.support.statements import heard

RULES = "\n".join(f"Rule {number}" for number in range(30))


@pytest.fixture
def chatbot(browser: Browser) -> Chatbot:
    """With three versions: the prompt changes, then the configuration."""
    made = make_chatbot(system_prompt=RULES, config={"temperature": 0.5})
    versions.publish(
        made, {"system_prompt": RULES.replace("Rule 15", "Rule <15>")}, expected=1, author=User.get(), notes="Sharper."
    )
    versions.publish(made, {"config": {"temperature": 0.1}}, expected=2, author=None, notes="Colder.")
    return made


@ONE_ENGINE
def test_of_many_versions_only_those_that_are_shown_are_read_with_their_prompt(
    browser: Browser, chatbot: Chatbot
) -> None:
    place = f"/chatbots/{chatbot.id}"
    for path, shown in ((place, 1), (f"{place}/compare?old=1&new=2", 3), (f"{place}/versions/1", 2)):
        with heard(lambda statement: "chatbot_versions" in statement and "system_prompt" in statement) as read:
            browser.read(path)
        assert len(read.asked) == shown, f"{path}: the live one, and those that it names"
    assert browser.get(f"{place}/versions/{2**40}").status_code == 404
    assert browser.get(f"{place}/compare?old=-1").status_code == 404


def test_two_versions_stand_side_by_side(browser: Browser, chatbot: Chatbot) -> None:
    page = browser.read(f"/chatbots/{chatbot.id}/compare?old=1&new=3")
    assert "removed: </span>Rule 15<" in page
    assert "added: </span>Rule &lt;15&gt;<" in page
    assert "Rule 14" in page
    assert "Rule 3<" not in page, "what is equal is counted, not shown"
    assert "lines the same" in page
    assert "&#34;temperature&#34;: 0.1" in page
    assert "Sharper." in page
    assert "Rule" not in browser.read(f"/chatbots/{chatbot.id}/compare"), "the live one beside the one before it"


def test_any_two_can_be_chosen_also_backwards(browser: Browser, chatbot: Chatbot) -> None:
    page = browser.read(f"/chatbots/{chatbot.id}/compare?old=3&new=1")
    assert "added: </span>Rule 15<" in page
    assert "These two say the same." in browser.read(f"/chatbots/{chatbot.id}/compare?old=2&new=2")
    for wrong in ("old=9", "new=0", "old=1&new=99"):
        assert browser.get(f"/chatbots/{chatbot.id}/compare?{wrong}").status_code == 404, wrong
    assert browser.get(f"/chatbots/{chatbot.id}/compare?old=x").status_code == 200


def test_going_back_publishes_the_old_settings_as_the_next_version(browser: Browser, chatbot: Chatbot) -> None:
    path = f"/chatbots/{chatbot.id}/versions/1/make-current"
    page = browser.read(path)
    assert "Its settings become version 4." in page
    assert "added: </span>Rule 15<" in page, "what would change is shown"
    response = browser.submit(path)
    assert response.location == f"/chatbots/{chatbot.id}"
    assert "Version 4 is live, with the settings of version 1." in browser.read(response.location)
    first, *_, last = ChatbotVersion.select().order_by(ChatbotVersion.number)
    assert (last.number, last.system_prompt, last.config) == (4, first.system_prompt, first.config)
    assert last.created_by == User.get()
    event = AuditEvent.select().where(AuditEvent.action == "chatbot.publish").get()
    assert (event.subject, event.details) == ("Helper, version 4", {"settings_of": 1})


def test_whoever_published_in_between_is_not_overruled(browser: Browser, chatbot: Chatbot) -> None:
    path = f"/chatbots/{chatbot.id}/versions/1/make-current"
    asked = browser.fields(path)
    versions.publish(chatbot, {"model_name": "large"}, expected=3, author=None)
    response = browser.send(path, asked)
    assert response.status_code == 409
    assert "Version 4 was published meanwhile." in response.text
    assert versions.current(chatbot).number == 4
    assert (
        browser.send(f"/chatbots/{chatbot.id}/versions/99/make-current", asked | {"expected": "4"}).status_code == 404
    )


@ONE_ENGINE
def test_what_is_live_can_not_be_made_so_again(browser: Browser, chatbot: Chatbot) -> None:
    assert "Nothing would change" in browser.read(f"/chatbots/{chatbot.id}/versions/3/make-current")
    assert "make-current" not in browser.read(f"/chatbots/{chatbot.id}/versions/3")
    assert "make-current" in browser.read(f"/chatbots/{chatbot.id}/versions/1")


@ONE_ENGINE
def test_who_only_looks_is_shown_no_button(app: Flask, browser: Browser) -> None:
    vera = add_user("vera@example.org", role=VIEWER)
    chatbot = make_chatbot(user=vera)
    versions.publish(chatbot, {"model_name": "large"}, expected=versions.current(chatbot).number, author=None)
    looks = signed_in(app, vera.email)
    for path in ("", f"/{chatbot.id}", f"/{chatbot.id}/versions/1", f"/{chatbot.id}/compare"):
        page = looks.read(f"/chatbots/{path.lstrip('/')}")
        assert "/edit" not in page, path
        assert "make-current" not in page, path


@given(st.lists(st.booleans(), max_size=60))
def test_folding_loses_no_line_and_hides_no_change(changes: list[bool]) -> None:
    lines = [Line((number, "a"), (number, "a"), is_changed) for number, is_changed in enumerate(changes)]
    found = folded(lines)
    assert sum(part if isinstance(part, int) else 1 for part in found) == len(lines)
    assert [part for part in found if not isinstance(part, int) and part.is_changed] == [
        line for line in lines if line.is_changed
    ]
    assert all(part > 1 for part in found[1:-1] if isinstance(part, int)), "one line is rather shown"

from __future__ import annotations

import json
import re
from html import unescape

import pytest
from flask import Flask

from service.admin.chatbots.listing import PAGE_SIZE
from service.admin.parts.choices import OFFERED
from service.chat import versions
from service.models import AuditEvent, Chatbot, ChatbotVersion, Creator, CreatorUser, User
from tests.support.chat import make_chatbot
from tests.support.panel import ONE_ENGINE, Browser, fields_of, signed_in


def numbers() -> list[int]:
    return [version.number for version in ChatbotVersion.select().order_by(ChatbotVersion.number)]


def test_the_first_chatbot_is_made_for_a_creator_of_the_users_own(browser: Browser) -> None:
    assert "No chatbot yet" in browser.read("/chatbots/")
    response = browser.submit("/chatbots/new", title="Harbour", config='{"temperature": 0.1}')
    chatbot = Chatbot.get()
    assert response.location == f"/chatbots/{chatbot.id}"
    assert (chatbot.title, chatbot.config, chatbot.current_version.number) == ("Harbour", {"temperature": 0.1}, 1)
    assert chatbot.current_version.created_by == User.get()
    assert CreatorUser.get().creator == chatbot.creator
    browser.submit("/chatbots/new", title="Another")
    assert Creator.select().count() == 1, "the second chatbot belongs to the same creator"


def test_a_form_that_is_sent_twice_makes_one_chatbot_and_another_team_may_have_a_namesake(browser: Browser) -> None:
    browser.submit("/chatbots/new", title="Harbour")
    again = browser.submit("/chatbots/new", title="Harbour")
    assert again.status_code == 400
    assert "This team has a chatbot of that title already." in again.text
    assert Chatbot.select().count() == 1
    elsewhere = Creator.create(name="Office")
    assert browser.submit("/chatbots/new", title="Harbour", team=str(elsewhere.id)).status_code == 303


def test_the_list_shows_the_live_version_of_each_chatbot(browser: Browser) -> None:
    versions.current(make_chatbot(title="Old hand"))
    make_chatbot(title="Newcomer")
    page = browser.read("/chatbots/")
    assert page.index("Newcomer") < page.index("Old hand")
    assert "version 1" in page
    assert "no version yet" in page


def test_of_a_long_prompt_the_list_shows_the_beginning(browser: Browser) -> None:
    make_chatbot(system_prompt="Ships first. " + "Answer briefly. " * 10_000)
    make_chatbot(system_prompt="")
    page = browser.read("/chatbots/")
    assert '<p class="tile-text">Ships first. Answer briefly. ' in page
    assert "…</p>" in page
    assert "No system prompt." in page
    assert page.count("Answer briefly.") < 30
    assert "no version yet" in page


def titles(page: str) -> list[str]:
    return re.findall(r'<h2><a href="/chatbots/\d+">([^<]+)</a></h2>', page)


def test_many_chatbots_are_shown_page_by_page_and_none_is_left_out(browser: Browser) -> None:
    # The same title, and one that differs in case alone, at the border of two pages: their order has to hold.
    piers = [f"{'pier' if number % 2 else 'Pier'} {number:02}" for number in range(2 * PAGE_SIZE)]
    wanted = [*piers[:24], "Pier 23", "pier 23", *piers[24:]]
    for title in wanted:
        make_chatbot(title=title)
    found, path = [], "/chatbots/"
    while path:
        page = browser.read(path)
        found += titles(page)
        further = re.search(r'rel="next" href="([^"]+)"', page)
        path = unescape(further[1]) if further else ""
    assert found == wanted


def test_a_chatbot_is_found_by_a_part_of_its_title(browser: Browser) -> None:
    for number in range(PAGE_SIZE + 1):
        make_chatbot(title=f"Pier {number}")
    make_chatbot(title="100 % Harbour")
    assert titles(browser.read("/chatbots/?q=harb")) == ["100 % Harbour"]
    assert titles(browser.read("/chatbots/?q=100+%25")) == ["100 % Harbour"], "a sign of patterns is a sign here"
    page = browser.read("/chatbots/?q=lagoon")
    assert "No chatbot with this title" in page
    assert 'value="lagoon"' in page


@pytest.mark.parametrize("query", ["after=99999999999999", "after=-1", "after=x", "q=%00", "q=" + "x" * 5000])
def test_a_list_is_not_upset_by_what_an_address_holds(browser: Browser, query: str) -> None:
    make_chatbot(title="Pier 1")
    assert "Chatbots" in browser.read(f"/chatbots/?{query}")


def test_of_very_many_chatbots_the_talk_page_offers_some_and_the_one_asked_for(browser: Browser) -> None:
    for number in range(OFFERED):
        make_chatbot(title=f"Pier {number:03}")
    last = make_chatbot(title="The last quay")
    page = browser.read("/talk/")
    assert page.count("<option") == OFFERED
    assert "Not in the list?" in page
    page = browser.read(f"/talk/?chatbot={last.id}")
    assert f'<option selected value="{last.id}">The last quay</option>' in page
    sent = browser.submit(f"/talk/?chatbot={last.id}", to="/talk/", content="Hello")
    assert sent.status_code == 303


def test_an_edit_makes_the_next_version_and_leaves_the_old_one(browser: Browser) -> None:
    chatbot = make_chatbot(system_prompt="Be brief.", vector_namespace="docs", rag_settings={"k": 4})
    response = browser.submit(
        f"/chatbots/{chatbot.id}/edit", title="Renamed", system_prompt="Be kind.", notes="Visitors complained."
    )
    assert response.location == f"/chatbots/{chatbot.id}"
    assert "Version 2 is live." in browser.read(f"/chatbots/{chatbot.id}")
    first, second = ChatbotVersion.select().order_by(ChatbotVersion.number)
    assert (first.system_prompt, second.system_prompt) == ("Be brief.", "Be kind.")
    assert (second.notes, second.created_by) == ("Visitors complained.", User.get())
    assert (second.vector_namespace, second.rag_settings) == ("docs", {"k": 4}), "the untouched fields stay"
    event = AuditEvent.get(AuditEvent.action == "chatbot.publish")
    assert (event.user, event.subject, event.address) == (User.get(), "Renamed, version 2", "127.0.0.1")
    stored = Chatbot.get()
    assert (stored.title, stored.system_prompt, stored.current_version) == ("Renamed", "Be kind.", second)


def test_two_editors_do_not_overwrite_each_other(app: Flask) -> None:
    chatbot = make_chatbot(system_prompt="Be brief.", model_name="small")
    path = f"/chatbots/{chatbot.id}/edit"
    dana, eve = signed_in(app), signed_in(app, "eve@example.org")
    seen_by_both = dana.fields(path) | {"system_prompt": "Be kind.", "notes": "Kindness."}
    assert eve.submit(path, model_name="large").status_code == 303

    conflict = dana.send(path, seen_by_both)
    assert conflict.status_code == 409
    assert "eve published" in conflict.text
    assert "Changed there: Model." in conflict.text
    assert f"/chatbots/{chatbot.id}/compare?old=1&amp;new=2" in conflict.text
    kept = fields_of(conflict.text)
    assert (kept["system_prompt"], kept["notes"], kept["expected"]) == ("Be kind.", "Kindness.", "2")
    assert numbers() == [1, 2], "nothing was published"
    assert AuditEvent.select().where(AuditEvent.action == "chatbot.publish").count() == 1, "and nothing recorded"

    assert eve.submit(path, model_name="huge").status_code == 303
    assert eve.submit(path, model_name="small").status_code == 303
    late = dana.send(path, kept)
    assert f"/chatbots/{chatbot.id}/compare?old=2&amp;new=4" in late.text, "all that came between is shown"
    kept = fields_of(late.text)

    assert dana.send(path, kept | {"model_name": "large"}).status_code == 303
    newest = versions.current(chatbot)
    assert (newest.number, newest.system_prompt, newest.model_name) == (5, "Be kind.", "large")


@ONE_ENGINE
@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ({"title": " "}, "Give the chatbot a title."),
        ({"config": '{"a": }'}, "Not JSON: Expecting value in line 1, column 7."),
        ({"ingestion_run_ids": "{}"}, "This has to be a list: [ … ]"),
        ({"model_provider": "abacus"}, "Not a valid choice."),
        ({"system_prompt": "x" * 200_001}, "At most 200,000 characters."),
    ],
)
def test_what_can_not_be_published_is_kept_and_explained(
    browser: Browser, typed: dict[str, str], complaint: str
) -> None:
    chatbot = make_chatbot()
    for path in (f"/chatbots/{chatbot.id}/edit", "/chatbots/new"):
        response = browser.submit(path, **{"title": "Kept", "system_prompt": "Kept too"} | typed)
        assert response.status_code == 400
        assert complaint in response.text
        kept = fields_of(response.text)
        assert kept["title"] == typed.get("title", "Kept").strip()
    assert numbers() == [1]


def test_the_json_of_a_version_comes_back_as_it_went_in(browser: Browser) -> None:
    config = {"stop": ["<end>", "“quote”"], "limits": {"tokens": 10**12, "share": 0.25}, "on": True}
    chatbot = make_chatbot(config=config)
    path = f"/chatbots/{chatbot.id}/edit"
    assert json.loads(browser.fields(path)["config"]) == config
    browser.submit(path)
    assert versions.current(chatbot).config == config


@ONE_ENGINE
def test_a_version_page_shows_what_the_version_said(browser: Browser) -> None:
    chatbot = make_chatbot(system_prompt="Speak <softly>.")
    versions.current(chatbot)
    versions.publish(chatbot, {"system_prompt": "Speak up."}, expected=1, author=None)
    page = browser.read(f"/chatbots/{chatbot.id}/versions/1")
    assert "Speak &lt;softly&gt;." in page
    assert "Speak up." not in page


def test_what_is_not_there_is_a_404(browser: Browser) -> None:
    chatbot = make_chatbot()
    for path in ("/chatbots/99", f"/chatbots/{2**70}", f"/chatbots/{chatbot.id}/versions/7", "/chatbots/0/edit"):
        assert browser.get(path).status_code == 404, path

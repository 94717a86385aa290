"""What is typed outlives the session, in a real browser: it says itself that a form is one of ours."""

from __future__ import annotations

from typing import Any

import pytest

from service.database import bind, connection
from service.models import Chatbot, Conversation, User
from service.url import DatabaseUrl
from tests.support.site import NEEDS_CHROMIUM, Site, sign_in, type_password

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
pytestmark = NEEDS_CHROMIUM


@pytest.fixture
def page(site: Site, furnished_url: DatabaseUrl) -> Any:
    bind(furnished_url)
    opened = site.open()
    sign_in(opened)
    sync_api.expect(opened.get_by_role("heading", name="Dashboard")).to_be_visible()
    return opened


def end_the_sessions() -> None:
    with connection():
        User.update(session_epoch=User.session_epoch + 1).execute()


@pytest.mark.parametrize("has_scripts", [True, False])
def test_a_prompt_is_published_though_the_session_ended_while_it_was_written(
    site: Site, furnished_url: DatabaseUrl, *, has_scripts: bool
) -> None:
    bind(furnished_url)
    page = site.open(java_script_enabled=has_scripts)
    sign_in(page)
    sync_api.expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    page.goto("/chatbots/1/edit")
    page.get_by_label("System prompt").fill("Took an hour to write.")
    end_the_sessions()
    page.get_by_role("button", name="Publish version 2").click()
    sync_api.expect(page.get_by_text("Your session has ended.")).to_be_visible()
    type_password(page)
    sync_api.expect(page.get_by_label("System prompt")).to_have_value("Took an hour to write.")
    assert page.url.endswith("/chatbots/1/edit")
    page.get_by_role("button", name="Publish version 2").click()
    sync_api.expect(page.get_by_text("Version 2 is live.")).to_be_visible()
    sync_api.expect(page.get_by_text("Took an hour to write.")).to_be_visible()


def test_a_transcript_whose_session_ended_leaves_half_a_message_alone(page: Any) -> None:
    with connection():
        thread = f"user-{User.get().id}-a"
        Conversation.create(chatbot=Chatbot.get(), title="Talk", user=User.get(), thread=thread)
    page.goto(f"/talk/1/{thread}")
    box = page.get_by_role("textbox", name="Message")
    box.fill("Half a thought")
    end_the_sessions()
    sync_api.expect(page.get_by_text("your session has ended")).to_be_visible()
    sync_api.expect(box).to_have_value("Half a thought")

"""Chatbots: which there are, making one, and changing one by publishing its next version."""

from __future__ import annotations

from typing import Annotated, Any

import peewee as pw
from flask import g
from pydantic import Field

from service.api import changes
from service.api.endpoints import Group
from service.api.problems import Problem
from service.api.records import find_chatbot
from service.api.shapes import ChatbotAnswer, ChatbotEntry
from service.api.tokens import READ, WRITE
from service.api.values import NOT_BLANK, TEXT, Answer, Json, JsonList, Page, Paging, Request, VersionNumber, page_of
from service.chat import access, creation, options, versions
from service.database import proxy, writing
from service.models import Chatbot, ChatbotVersion

group = Group("Chatbots", "A chatbot has immutable versions of its settings; changing it publishes the next one.")

Name = Annotated[str, Field(max_length=120, pattern=TEXT)]
Title = Annotated[str, Field(max_length=120, pattern=NOT_BLANK)]


class Changes(Request):
    """What may be set; what is left out stays as it is. `config` and `rag_settings` replace the ones before as a whole;
    what they may hold is in docs/chatbots.md."""

    title: Title = "Untitled"
    system_prompt: Annotated[str, Field(max_length=200_000, pattern=TEXT)] = ""
    model_provider: Annotated[str, Field(max_length=40, pattern=NOT_BLANK)] = "offline"
    model_name: Name = ""
    pinecone_namespace: Name | None = None
    vector_namespace: Name | None = None
    config: Json = {}
    rag_settings: Json = {}
    ingestion_run_ids: JsonList = []

    def given(self) -> dict[str, Any]:
        """The settings that were sent."""
        return {name: getattr(self, name) for name in self.model_fields_set if name in Changes.model_fields}


class NewChatbot(Changes):
    title: Title


class Publication(Changes):
    expected_version: VersionNumber | None = Field(
        None, description="The version that the change starts from: 409 if another one is current."
    )
    notes: str = Field("", max_length=2000, pattern=TEXT, description="What changed, and why.")


class Published(Answer):
    success: bool
    version: int


class Conflict(Answer):
    """The details of the error with the code `version_conflict`."""

    current_version: int


@group.get("/chatbots", scope=READ, query=Paging, answer=Page[ChatbotEntry])
def index(query: Paging) -> Page[ChatbotEntry]:
    """The chatbots that you may see, the newest first."""
    found = access.chatbots(g.user).select_extend(ChatbotVersion)
    found = found.join(ChatbotVersion, pw.JOIN.LEFT_OUTER, on=Chatbot.current_version)
    rows, cursor = page_of(found, Chatbot, query)
    return Page(items=[_entry(row) for row in rows], next_cursor=cursor)


@group.post("/chatbots", scope=WRITE, body=NewChatbot, answer=ChatbotAnswer, status=201)
def create(body: NewChatbot) -> ChatbotAnswer:
    """Make a chatbot, with version 1 of its settings."""
    with writing(proxy.obj):
        try:
            chatbot = creation.create(g.user, body.given())
        except options.SettingError as error:
            raise _unusable(error) from None
        changes.note("chatbot.create", chatbot.title)
    return ChatbotAnswer.of(chatbot, versions.current(chatbot))


@group.get("/chatbots/<int:chatbot_id>", scope=READ, answer=ChatbotAnswer)
def show(chatbot_id: int) -> ChatbotAnswer:
    """One chatbot with its current settings."""
    chatbot = find_chatbot(chatbot_id)
    return ChatbotAnswer.of(chatbot, versions.current(chatbot))


@group.patch("/chatbots/<int:chatbot_id>", scope=WRITE, body=Publication, answer=Published, refusals=(409,))
def publish(chatbot_id: int, body: Publication) -> Published:
    """Publish the next version.

    What is sent is changed, the rest is taken over from the current version. Conversations keep the version that they
    began with; new ones begin with this one. With `expected_version`, nobody's change is overwritten unseen: if another
    version is current, the answer is 409 with its number in `details.current_version`."""
    chatbot = find_chatbot(chatbot_id)
    given = body.given()
    if not given:
        raise Problem(422, "Nothing to change: send at least one setting.")
    with writing(proxy.obj):
        made = _published(chatbot, given, body)
        changes.note("chatbot.publish", f"{chatbot.title}, version {made.number}", changed=sorted(given))
    return Published(success=True, version=made.number)


def _published(chatbot: Chatbot, given: dict[str, Any], body: Publication) -> ChatbotVersion:
    expected = body.expected_version
    try:
        expected = versions.current(chatbot).number if expected is None else expected
        return versions.publish(chatbot, given, expected=expected, author=g.user, notes=body.notes)
    except versions.VersionConflict as conflict:
        raise conflicting(conflict) from None
    except options.SettingError as error:
        raise _unusable(error) from None


def conflicting(conflict: versions.VersionConflict) -> Problem:
    details = Conflict(current_version=conflict.current).model_dump()
    return Problem(409, str(conflict), code="version_conflict", details=details)


def _unusable(error: options.SettingError) -> Problem:
    return Problem(422, str(error), details=[{"field": f"body.{error.setting}", "problem": str(error)}])


def _entry(chatbot: Chatbot) -> ChatbotEntry:
    current = chatbot.current_version
    frozen = current or chatbot
    return ChatbotEntry(
        id=chatbot.id,
        title=chatbot.title,
        version=current.number if current else None,
        model_provider=frozen.model_provider,
        model_name=frozen.model_name,
        created_at=chatbot.created_at,
    )

"""Conversations and what was said in them: listed, read, searched, deleted."""

from __future__ import annotations

from typing import Annotated, Any

import peewee as pw
from flask import g
from pydantic import Field

from service.api import changes
from service.api.endpoints import Group
from service.api.problems import Problem
from service.api.records import find_chatbot, find_conversation
from service.api.shapes import ConversationAnswer, MessageAnswer
from service.api.tokens import READ, WRITE
from service.api.values import TEXT, Answer, Moment, Number, Page, Paging, Request, in_utc, page_of
from service.chat import access, deletion, search
from service.database import proxy, writing
from service.models import ChatbotVersion, Conversation, Message

group = Group("Conversations", "What was asked and answered, on every channel.")


class Filter(Request):
    """Narrows a list of conversations; what is left out narrows nothing."""

    chatbot_id: Number | None = None
    channel: Annotated[str, Field(max_length=20, pattern=TEXT)] | None = Field(
        None, description="`panel`, `telegram` or `api`."
    )
    thread: Annotated[str, Field(max_length=120, pattern=TEXT)] | None = None
    since: Moment | None = Field(None, description="Those in which something was said at that time or later.")
    until: Moment | None = Field(None, description="Those in which nothing was said at that time or later.")


class FilteredPaging(Filter, Paging):
    pass


class Question(Paging):
    q: str = Field(
        max_length=1000,
        description="All its words are looked for, the last one as the beginning of a word.",
        examples=["ferry"],
    )
    chatbot_id: Number | None = None


class Piece(Answer):
    text: str
    is_hit: bool


class Hit(Answer):
    message: MessageAnswer
    excerpt: list[Piece] = Field(description="What stands around the first hit, cut where hits begin and end.")


class Deleted(Answer):
    messages: int
    tool_calls: int


@group.get("/conversations", scope=READ, query=FilteredPaging, answer=Page[ConversationAnswer], refusals=(404,))
def index(query: FilteredPaging) -> Page[ConversationAnswer]:
    """Conversations, those that began last first."""
    found = narrowed(query).select_extend(ChatbotVersion).switch(Conversation)
    found = found.join(ChatbotVersion, pw.JOIN.LEFT_OUTER, on=Conversation.chatbot_version)
    rows, cursor = page_of(found, Conversation, query)
    return Page(items=[ConversationAnswer.of(row) for row in rows], next_cursor=cursor)


@group.get("/conversations/<int:conversation_id>", scope=READ, answer=ConversationAnswer)
def show(conversation_id: int) -> ConversationAnswer:
    """One conversation, without its messages."""
    return ConversationAnswer.of(find_conversation(conversation_id))


@group.get(
    "/conversations/<int:conversation_id>/messages",
    scope=READ,
    query=Paging,
    answer=Page[MessageAnswer],
    refusals=(404,),
)
def messages(conversation_id: int, query: Paging) -> Page[MessageAnswer]:
    """What was said in a conversation, the newest first."""
    conversation = find_conversation(conversation_id)
    said = Message.select().where(Message.conversation == conversation)
    rows, cursor = page_of(said, Message, query)
    return Page(items=[MessageAnswer.of(row) for row in rows], next_cursor=cursor)


@group.delete("/conversations/<int:conversation_id>", scope=WRITE, answer=Deleted, refusals=(409,))
def delete(conversation_id: int) -> Deleted:
    """Delete a conversation with its messages and tool calls, for good.

    While one of its messages waits for an answer, it stays: 409."""
    conversation = find_conversation(conversation_id)
    with writing(proxy.obj):
        try:
            gone = deletion.delete(conversation)
        except deletion.StillAtWork as error:
            raise Problem(409, str(error), code="still_at_work", headers={"Retry-After": "2"}) from None
        if gone is None:
            raise Problem(404)
        # Its title is the beginning of what somebody said, which the record must not keep.
        changes.note("conversation.delete", f"conversation {conversation_id}", **gone._asdict())
    return Deleted(messages=gone.messages, tool_calls=gone.tool_calls)


@group.get("/search", scope=READ, query=Question, answer=Page[Hit], refusals=(404,))
def find(query: Question) -> Page[Hit]:
    """Messages that hold all the words, the newest first, without regard to case and accents."""
    seen = access.conversations(g.user).select(Conversation.id)
    if query.chatbot_id is not None:
        seen = seen.where(Conversation.chatbot == find_chatbot(query.chatbot_id))
    said = Message.select().where(search.matching(query.q), Message.conversation.in_(seen))
    rows, cursor = page_of(said, Message, query)
    return Page(items=[_hit(row, query.q) for row in rows], next_cursor=cursor)


def narrowed(wanted: Filter) -> Any:
    """The conversations that the user may see and that the filter lets through."""
    found = access.conversations(g.user)
    if wanted.chatbot_id is not None:
        found = found.where(Conversation.chatbot == find_chatbot(wanted.chatbot_id))
    for name in ("channel", "thread"):
        if (value := getattr(wanted, name)) is not None:
            found = found.where(getattr(Conversation, name) == value)
    if wanted.since:
        found = found.where(Conversation.updated_at >= in_utc(wanted.since))
    return found.where(Conversation.updated_at < in_utc(wanted.until)) if wanted.until else found


def _hit(message: Message, question: str) -> Hit:
    pieces = search.excerpt(message.content, question)
    return Hit(message=MessageAnswer.of(message), excerpt=[Piece(text=text, is_hit=hit) for text, hit in pieces])

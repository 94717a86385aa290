"""Talking to a chatbot: the message goes through the inbox like every other, and the answer is waited for."""

from __future__ import annotations

import hashlib
import secrets
from typing import Annotated, Any, Literal

from flask import Response, g, url_for
from pydantic import Field

from service.api import clients, idempotency, replies
from service.api.endpoints import JSON, Group
from service.api.problems import Problem
from service.api.records import find, find_chatbot, find_conversation, find_persona
from service.api.shapes import MessageAnswer
from service.api.tokens import CHAT
from service.api.values import NOT_BLANK, Answer, Number, Request
from service.chat import access, following
from service.chat.receive import receive
from service.chat.text import storable
from service.database import connection
from service.models import DEAD, DONE, LEASED, Chatbot, ChatbotVersion, Conversation, InboxItem, Message

group = Group("Chat", "Sending a message, and getting the answer.")

CHANNEL = "api"
PATIENCE = 25.0


class Said(Request):
    chatbot_id: Number = Field(examples=[1])
    message: Annotated[str, Field(max_length=20_000, pattern=NOT_BLANK)] = Field(
        examples=["When does the ferry leave?"]
    )
    conversation_id: Number | None = Field(
        None, description="Goes on with this conversation, which has to be one of the channel `api`."
    )
    thread: Annotated[str, Field(max_length=100, pattern=NOT_BLANK)] | None = Field(
        None,
        description="A name of your own for the conversation, such as the number of a customer: the first message "
        "with it begins the conversation, the next ones go on with it. Shared by all tokens of a chatbot.",
    )
    persona_id: Number | None = Field(None, description="One of your active personas.")


class SaidAndWait(Said):
    wait: float = Field(PATIENCE, ge=0, le=30, description="Seconds to wait for the answer, before 202.")


class ChatAnswer(Answer):
    """`queued` and `answering`: ask again at `url`. `answered`: `reply` is the answer. `failed`: `reply` is an apology.
    `deleted`: the conversation is gone."""

    id: int
    state: Literal["queued", "answering", "answered", "failed", "deleted"]
    url: str
    chatbot_id: int
    thread: str
    conversation_id: int | None
    version: int | None = Field(description="The version of the chatbot that answered.")
    question_id: int | None
    reply: MessageAnswer | None


class Piece(Answer):
    """What a `text` event of the stream brings."""

    text: str


@group.post("/chat", scope=CHAT, body=SaidAndWait, answer=ChatAnswer, also=(202,), refusals=(404, 409), is_slow=True)
def say(body: SaidAndWait) -> Response:
    """Send a message and wait for the answer.

    200 with the answer, or 202 if it takes longer than `wait` seconds or too many wait already: then it is at `url`.
    The message is stored before anything else, so that it is answered whatever happens to this request. With an
    Idempotency-Key, the same request sent again joins in waiting for the same answer."""
    item = received(body)
    with replies.seat() as is_seated:
        settled = replies.settled(item.id, body.wait if is_seated else 0.0, clients.current())
    return _response(settled)


@group.get("/chat/<int:item_id>", scope=CHAT, answer=ChatAnswer, also=(202,))
def show(item_id: int) -> Response:
    """What became of a message that was sent here: 200 when it is over, 202 while it is not."""
    return _response(sent(item_id))


def sent(item_id: int) -> InboxItem:
    """A message that was sent here, to a chatbot that the user sees."""
    with connection():
        mine = InboxItem.select().where(InboxItem.channel == CHANNEL, InboxItem.chatbot.in_(access.chatbots(g.user)))
        return find(mine, InboxItem, item_id, "message")


def received(body: Said, *, is_followed: bool = False) -> InboxItem:
    """The message in the inbox: stored now, or before, by the same token with the same Idempotency-Key. Who takes it
    is told if somebody wants to see the answer grow."""
    with connection():
        chatbot, key = find_chatbot(body.chatbot_id), _external_id()
        thread = _thread(body, chatbot, key)
        metadata: dict[str, Any] = {"user_id": g.user.id}
        if body.persona_id is not None:
            metadata["persona_id"] = _persona(body.persona_id)
        if is_followed:
            following.follow(chatbot.id, CHANNEL, thread)
        item = receive(
            chatbot, channel=CHANNEL, external_id=key, thread=thread, content=body.message, metadata=metadata
        )
        return item or _sent_before(key, chatbot, thread, body.message, metadata)


def answer_of(item: InboxItem) -> ChatAnswer:
    with connection():
        reply = Message.get_or_none(Message.id == item.__data__["reply"])
        conversation = _conversation(item, reply)
        version = conversation.__data__["chatbot_version"] if conversation else None
        return ChatAnswer(
            id=item.id,
            state=_state(item, reply),
            url=url_for("chat.show", item_id=item.id),
            chatbot_id=item.chatbot_id,
            thread=item.thread,
            conversation_id=conversation.id if conversation else None,
            version=ChatbotVersion.get_by_id(version).number if version else None,
            question_id=reply.__data__["reply_to"] if reply else None,
            reply=MessageAnswer.of(reply) if reply else None,
        )


def _response(item: InboxItem) -> Response:
    answer = answer_of(item)
    if replies.is_over(item):
        return Response(answer.model_dump_json(), 200, mimetype=JSON)
    headers = {"Location": answer.url, "Retry-After": "1"}
    return Response(answer.model_dump_json(), 202, headers, mimetype=JSON)


def _external_id() -> str:
    """The channel's own number for the message: the same for the same Idempotency-Key of the same token."""
    key = idempotency.given()
    if key is None:
        return f"{g.token.id}/{secrets.token_hex(16)}"
    return f"{g.token.id}/key/{hashlib.sha256(key.encode()).hexdigest()}"


def _thread(body: Said, chatbot: Chatbot, key: str) -> str:
    if body.conversation_id is None:
        # From the key, so that a message sent twice begins one conversation.
        return body.thread or f"api-{hashlib.sha256(key.encode()).hexdigest()[:32]}"
    conversation = find_conversation(body.conversation_id)
    if conversation.chatbot != chatbot:
        raise Problem(409, f"Conversation {conversation.id} is with another chatbot.")
    if conversation.channel != CHANNEL or conversation.thread is None:
        raise Problem(409, f"Conversation {conversation.id} is one of {conversation.channel}, and can't go on here.")
    if body.thread not in (None, conversation.thread):
        raise Problem(409, f"Conversation {conversation.id} has another thread.")
    return conversation.thread


def _persona(number: int) -> int:
    if not find_persona(number).is_active:
        raise Problem(409, f"Persona {number} is not active.")
    return number


def _sent_before(key: str, chatbot: Chatbot, thread: str, content: str, metadata: dict[str, Any]) -> InboxItem:
    item: InboxItem = InboxItem.get(InboxItem.channel == CHANNEL, InboxItem.external_id == key)
    if item.content == "":
        raise Problem(409, "The message with this key was deleted with its conversation.", code="deleted")
    if (item.chatbot_id, item.thread, item.content, item.metadata) != (chatbot.id, thread, storable(content), metadata):
        raise Problem(422, f"This {idempotency.HEADER} belongs to another message.", code="key_reused")
    return item


def _conversation(item: InboxItem, reply: Message | None) -> Conversation | None:
    """The reply's; before there is one, that of the thread, if it has begun."""
    if reply:
        return reply.conversation
    found: Conversation | None = Conversation.get_or_none(
        chatbot=item.chatbot_id, channel=item.channel, thread=item.thread
    )
    return found


def _state(item: InboxItem, reply: Message | None) -> Any:
    if item.state == DONE and reply is None:
        return "deleted"
    if item.state in (DONE, DEAD):
        return "failed" if reply is None or reply.error is not None else "answered"
    return "answering" if item.state == LEASED else "queued"

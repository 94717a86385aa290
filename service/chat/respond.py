"""A message is answered: read what the answer depends on, ask, and write everything in one transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from service.chat import context as contexts
from service.chat import dialogue
from service.chat.cancel import IsCancelled, never
from service.chat.context import Context
from service.chat.dialogue import Piece
from service.chat.outside import Outside
from service.chat.providers import Cut, Providers, Usage
from service.chat.retrieval import Retrieved
from service.chat.saying import say
from service.chat.text import presentable, shortened, storable
from service.chat.tools.offer import Called
from service.chat.wake import OUTBOX
from service.database import connection, writing
from service.models import SETTINGS, Conversation, InboxItem, Message, ToolLog
from service.models.base import utc_now
from service.models.statement import Statement

# Who asks here comes for the answer; elsewhere it is delivered.
COLLECTED = ("panel", "api")
UNTITLED = "Untitled"
APOLOGY = "I am sorry, I can't answer this right now. Your message is kept, and whoever looks after me can see why."
LARGEST = 2**31 - 1  # what an integer column holds

_TOUCH = Statement("""
    UPDATE conversations SET updated_at = :updated_at, chatbot_version_id = :version, title = :title WHERE id = :id""")
_ANSWER = Statement("UPDATE inbox SET reply_id = :reply WHERE id = :id")
_DELIVERY = """
    INSERT INTO outbox (conversation_id, message_id, channel, address, state, attempts, available_at, created_at)
    VALUES (:conversation, :message, :channel, :address, 'queued', 0, :now, :created_at)"""
# Wakes who delivers with the same statement.
_POST = Statement(_DELIVERY, postgresql=f"{_DELIVERY} RETURNING pg_notify(:nudged, '')")

Settle = Callable[[], None]
Show = Callable[[str], None]


@dataclass
class Answer:
    """What will be written as the reply. Tokens are None where the provider did not count."""

    text: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    error: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    tool_logs: list[int] = field(default_factory=list)


def unseen(_text: str) -> None:
    """Where nobody looks on while an answer is written."""


def respond(
    item: InboxItem,
    providers: Providers,
    settle: Settle,
    outside: Outside | None = None,
    *,
    is_cancelled: IsCancelled = never,
    show: Show = unseen,
) -> Message:
    """Answer the item and return the reply as it was written. Raises ProviderError, and Cancelled once `is_cancelled`
    says so; then nothing is written. `show` is called with the text so far, whenever there is more of it.

    No transaction is open while the provider works. `settle` is called first in the transaction that writes, and
    marks the item as answered; when it raises, because the item is somebody else's by now, nothing is written."""
    context = contexts.of(item)
    settings = {name: getattr(context.version, name) for name in SETTINGS}
    persona = context.persona.instructions if context.persona else ""
    turns = (*contexts.history(context), context.asked)
    outside = outside or Outside()
    pieces = dialogue.pieces(settings, turns, providers, outside, persona=persona, is_cancelled=is_cancelled)
    answer = _collected(pieces, context, show)
    return _write(context, answer, settle)


def apologise(item: InboxItem, error: str, settle: Settle) -> Message:
    """Tell the person that no answer will come; the error stays with the reply, for the operator."""
    return _write(contexts.of(item), Answer(APOLOGY, error=storable(error)), settle)


def remark(item: InboxItem, text: str, settle: Settle, change: Callable[[Conversation], object]) -> Message:
    """Answer the item with this text, without a provider. `change` is done to its conversation in the same
    transaction."""
    with connection() as database, writing(database):
        reply = _write(replace(contexts.of(item), persona=None), Answer(text), settle)
        change(Conversation.get_by_id(reply.conversation_id))
        return reply


def _collected(pieces: Iterable[Piece], context: Context, show: Show) -> Answer:
    answer = Answer()
    for piece in pieces:
        match piece:
            case str():
                answer.text += piece
                show(answer.text)
            case Usage():
                answer.input_tokens = min((answer.input_tokens or 0) + piece.input_tokens, LARGEST)
                answer.output_tokens = min((answer.output_tokens or 0) + piece.output_tokens, LARGEST)
            case Called():
                answer.tool_logs.append(_log(piece, context))
            case Retrieved():
                answer.metadata |= _found(piece)
            case Cut():
                answer.metadata["is_cut"] = True
                answer.text = f"{answer.text.rstrip()} …"
    answer.text = presentable(answer.text)
    return answer


def _found(retrieved: Retrieved) -> dict[str, Any]:
    """What the operator wants to know later: where an answer comes from, or why it had to do without."""
    if retrieved.error:
        return {"retrieval_error": retrieved.error}
    return {"sources": list(dict.fromkeys(passage.source for passage in retrieved.passages))}


def _log(called: Called, context: Context) -> int:
    """At once, since the tool has done what it does, whatever becomes of the answer."""
    with connection():
        row = ToolLog.create(
            session=context.conversation,
            server=called.server,
            tool=called.tool[:120],
            arguments=dict(called.arguments),
            result=called.result,
            error=called.error,
            duration_ms=min(called.duration_ms, LARGEST),
        )
    return int(row.id)


def _write(context: Context, answer: Answer, settle: Settle) -> Message:
    with connection() as database, writing(database):
        settle()
        conversation = _begun(context)
        question = context.question or _say(
            context, conversation, role="user", content=context.item.content, metadata=_origin(context.item)
        )
        reply = _reply(context, conversation, question, answer)
        _note_reply(context.item, reply)
        _note_calls(answer.tool_logs, reply)
        if context.item.channel not in COLLECTED:
            _post(context.item, reply)
        return reply


def _post(item: InboxItem, reply: Message) -> None:
    """The reply is to be delivered to where the item came from."""
    _POST.changed(
        conversation=reply.conversation_id,
        message=reply.id,
        channel=item.channel,
        address=json.dumps(item.metadata),
        created_at=utc_now(),
        nudged=OUTBOX,
    )


def _reply(context: Context, conversation: Conversation, question: Message, answer: Answer) -> Message:
    waited = (utc_now() - context.item.created_at).total_seconds()
    return _say(
        context,
        conversation,
        role="assistant",
        content=answer.text,
        persona=context.persona,
        reply_to=question,
        metadata=_mark(context.item) | answer.metadata,
        duration_ms=min(max(0, round(1000 * waited)), LARGEST),
        input_tokens=answer.input_tokens,
        output_tokens=answer.output_tokens,
        error=answer.error,
    )


def _note_reply(item: InboxItem, reply: Message) -> None:
    if _ANSWER.changed(reply=reply.id, id=item.id) != 1:
        raise RuntimeError(f"Inbox {item.id} is not there any more, so its reply is not written.")


def _note_calls(tool_logs: list[int], reply: Message) -> None:
    """The calls belong to the answer that was made with them. Rows that retention has removed since are no loss."""
    if tool_logs:
        ToolLog.update(session=reply.conversation_id, message=reply).where(ToolLog.id.in_(tool_logs)).execute()


def _begun(context: Context) -> Conversation:
    """The conversation, touched; made, with the version that answers, if this is its first message."""
    conversation, item = context.conversation, context.item
    if conversation is None:
        created: Conversation = Conversation.create(
            chatbot=item.chatbot_id,
            chatbot_version=context.version,
            user=context.user,
            persona=context.persona,
            title=_title(item),
            channel=item.channel,
            thread=item.thread,
            metadata=item.metadata,
        )
        return created
    title = _title(item) if conversation.title == UNTITLED else conversation.title
    _TOUCH.changed(id=conversation.id, updated_at=utc_now(), version=context.version.id, title=title)
    return conversation


def _title(item: InboxItem) -> str:
    """The first words of the talk, of which a command is no part."""
    return UNTITLED if _mark(item) else shortened(item.content, 80) or UNTITLED


def _mark(item: InboxItem) -> dict[str, Any]:
    """A reply to an aside is an aside: both stay out of the history."""
    return {"aside": item.metadata["aside"]} if "aside" in item.metadata else {}


def _say(context: Context, conversation: Conversation, **values: Any) -> Message:
    return say(Message(chatbot=context.item.chatbot_id, conversation=conversation, user=context.user, **values))


def _origin(item: InboxItem) -> dict[str, Any]:
    return {**item.metadata, "inbox": item.id}

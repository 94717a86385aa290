"""What is being asked and answered: the list of conversations, and the transcript of one."""

from __future__ import annotations

from typing import Any

import peewee as pw
from flask import Blueprint, Response, abort, flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse
from wtforms import BooleanField, StringField

from service import audit
from service.admin.access.permissions import needs
from service.admin.conversations import downloads, lines, live, news, transcript
from service.admin.conversations.news import News, Place, Thread
from service.admin.parts import choices, paging
from service.admin.parts.choices import Choice
from service.admin.parts.display import CHANNELS, count
from service.admin.parts.filters import Conditions, Day, Filters, Number, beginning, end
from service.admin.parts.forms import Storable, at_most, strip
from service.admin.parts.records import LARGEST_ID, find_conversation, seen_conversation
from service.chat import access, deletion, export, search
from service.database import proxy, writing
from service.models import EDITOR, ChatbotVersion, Conversation, Message, ToolLog, User
from service.models.base import utc_now

pages = Blueprint("conversations", __name__, url_prefix="/conversations")

PAGE_SIZE = 25


class ConversationFilters(Filters):
    words = StringField("Words", [at_most(300), Storable()], filters=[strip])
    chatbot = Choice("Chatbot", default="")
    version = Number("Version", 1, LARGEST_ID, "Type the number of a version, such as 3.")
    channel = Choice("Channel", default="")
    persona = Choice("Persona", default="")
    since = Day("Last message from")
    until = Day("Last message to")
    failed = BooleanField("With a failed answer")
    tools = BooleanField("With a tool call")


def _of_persona(number: str) -> Any:
    """The one that was chosen for the conversation, or that some answer in it was given as."""
    answered = Message.select(Message.conversation).where(Message.persona == int(number))
    return (Conversation.persona == int(number)) | Conversation.id.in_(answered)


CONDITIONS: Conditions = {
    "words": search.said_in,
    "chatbot": lambda number: Conversation.chatbot == int(number),
    "version": lambda number: ChatbotVersion.number == number,
    "channel": lambda channel: Conversation.channel == channel,
    "persona": _of_persona,
    "since": lambda day: Conversation.updated_at >= beginning(day),
    "until": lambda day: Conversation.updated_at < end(day),
    "failed": lambda _: Conversation.id.in_(Message.select(Message.conversation).where(Message.error.is_null(False))),
    "tools": lambda _: Conversation.id.in_(ToolLog.select(ToolLog.session)),
}


@pages.get("/")
def index() -> str:
    filters = _filters()
    query = _listed(filters).order_by(Conversation.updated_at.desc(), Conversation.id.desc())
    place = paging.read_cursor(request.args.get("before", ""))
    if place:
        query = query.where(pw.Tuple(Conversation.updated_at, Conversation.id) < pw.Tuple(*place))
    page = paging.take(lines.read(query.limit(PAGE_SIZE + 1)), PAGE_SIZE)
    last = page.rows[-1] if page.has_more else None
    return render_template(
        "conversations/index.html",
        conversations=page.rows,
        messages=lines.messages(page.rows),
        found=search.newest(filters.given().get("words", ""), [line.id for line in page.rows]),
        filters=filters,
        forms=list(export.FORMS),
        offered=choices.OFFERED,
        is_first=place is None,
        older=paging.cursor(last.updated_at, last.id) if last else None,
    )


@pages.get("/export")
def export_found() -> Response | tuple[str, int]:
    """Everything that the filters leave, on all pages of the list."""
    form, filters = _form(), _filters()
    narrowed = {name: value for name, value in filters.arguments().items() if name != "words"}
    name = f"conversations-{utc_now():%Y-%m-%d}"
    file = downloads.File(name, form, _listed(filters), downloads.TALKS)
    return downloads.send(file, {"form": form, "filters": narrowed})


@pages.get("/<int:conversation_id>")
def show(conversation_id: int) -> str:
    conversation = find_conversation(conversation_id)
    return render_template(
        "conversations/show.html",
        conversation=conversation,
        about=transcript.about(conversation),
        news=_news(conversation),
        words=request.args.get("words", ""),
        forms=list(export.FORMS),
        is_mine=is_thread_of(g.user, conversation.thread),
    )


@pages.get("/<int:conversation_id>/messages")
def messages(conversation_id: int) -> str:
    """What is new in the transcript, for the script of the page."""
    return _fragment(news.followed(_thread(find_conversation(conversation_id)), live.place()))


@pages.get("/<int:conversation_id>/live")
def follow(conversation_id: int) -> AnyResponse:
    find_conversation(conversation_id)

    def look(place: Place) -> News | None:
        conversation = seen_conversation(conversation_id)
        return news.followed(_thread(conversation), place) if conversation else None

    return live.stream(look, _fragment)


@pages.get("/<int:conversation_id>/export")
def export_one(conversation_id: int) -> Response | tuple[str, int]:
    form, conversation = _form(), find_conversation(conversation_id)
    query = access.conversations(g.user).where(Conversation.id == conversation.id)
    file = downloads.File(f"conversation-{conversation.id}", form, query, downloads.MESSAGES)
    return downloads.send(file, {"form": form, "conversation": conversation.id})


@pages.get("/<int:conversation_id>/delete")
@needs(EDITOR)
def confirm(conversation_id: int) -> str:
    return _question(find_conversation(conversation_id))


@pages.post("/<int:conversation_id>/delete")
def delete(conversation_id: int) -> AnyResponse | tuple[str, int]:
    conversation = find_conversation(conversation_id)
    try:
        with writing(proxy.obj):
            gone = deletion.delete(conversation)
            if gone is None:
                abort(404)
            _note("conversation.delete", f"conversation {conversation.id}", gone._asdict())
    except deletion.StillAtWork as obstacle:
        return _question(conversation, str(obstacle)), 409
    lost = f"{count(gone.messages, 'message')} and {count(gone.tool_calls, 'tool call')}"
    flash(f"The conversation is deleted, with {lost}.", "success")
    return redirect(url_for("conversations.index"), 303)


def is_thread_of(user: User, thread: str | None) -> bool:
    """A thread of the panel carries the number of the user who began it."""
    return (thread or "").startswith(f"user-{user.id}-")


def _news(conversation: Conversation) -> News:
    """The end of the transcript, which goes on by itself, or a place in it, which stays as it is."""
    place, before = (paging.read_id(request.args.get(name, "")) for name in ("at", "before"))
    if not place and not before:
        return news.since(_thread(conversation))
    shown = transcript.around(conversation, place) if place else transcript.latest(conversation, before)
    if not shown.has_newer:
        return news.since(_thread(conversation))._replace(transcript=shown)
    return News(conversation, shown, unanswered=[], is_waiting=False, is_late=False, place=Place())


def _thread(conversation: Conversation) -> Thread:
    return Thread(conversation.__data__["chatbot"], conversation.channel, conversation.thread, conversation)


def _fragment(found: News) -> str:
    words = request.args.get("words", "")
    return render_template("conversations/_live.html", news=found, has_details=True, words=words)


def _filters() -> ConversationFilters:
    chatbot, persona = (paging.read_id(request.args.get(name, "")) for name in ("chatbot", "persona"))
    filters = ConversationFilters.of_request(
        chatbot=[(str(number), title) for number, title in choices.chatbots(g.user, chatbot)],
        channel=CHANNELS.items(),
        persona=[(str(number), name) for number, name in choices.personas(g.user, persona)],
    )
    if filters.chatbot.errors:  # what one may not see is as good as not there
        abort(404)
    return filters


def _listed(filters: ConversationFilters) -> Any:
    query = access.conversations(g.user).select_extend(ChatbotVersion).switch(Conversation)
    query = query.join(ChatbotVersion, pw.JOIN.LEFT_OUTER, on=Conversation.chatbot_version)
    return filters.narrow(query, CONDITIONS)


def _question(conversation: Conversation, obstacle: str = "") -> str:
    contents = deletion.contents(conversation)
    return render_template("conversations/delete.html", conversation=conversation, contents=contents, obstacle=obstacle)


def _form() -> str:
    form = request.args.get("form", next(iter(export.FORMS)))
    return form if form in export.FORMS else abort(404)


def _note(action: str, subject: str, details: dict[str, Any]) -> None:
    audit.record(g.user, action, subject, address=request.remote_addr, details=details)

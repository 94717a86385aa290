"""Every address of the panel: who is let in, and a small world in which each of them has something to show.

A new page adds its line to ROUTES; if its address names a record, `furnish` makes one and gives its number."""

from __future__ import annotations

from typing import Any, NamedTuple

from flask import Flask
from werkzeug.routing import Rule

from service.admin.access import invitations, renewals
from service.api import tokens
from service.chat import versions
from service.models import (
    DEAD,
    EDITOR,
    OWNER,
    VIEWER,
    Conversation,
    InboxItem,
    Invitation,
    Message,
    Persona,
    ToolLog,
    User,
)
from tests.support.chat import make_chatbot

# No sign-in, and no token of a form either where it is a machine that sends it.
ANYBODY = "anybody"
# Somebody who has given their password and owes the code of the second step; all others are sent to the sign-in.
HALF_WAY = "half-way"

# The least role that each address is open to.
ROUTES = {
    "GET /": VIEWER,
    "GET /account/": VIEWER,
    "POST /account/name": VIEWER,
    "POST /account/password": VIEWER,
    "GET /account/second-step": VIEWER,
    "POST /account/second-step": VIEWER,
    "POST /account/second-step/off": VIEWER,
    "POST /account/sessions": VIEWER,
    "GET /audit-log/": OWNER,
    "GET /bootstrap/static/<path:filename>": ANYBODY,
    "GET /chatbots/": VIEWER,
    "GET /chatbots/<int:chatbot_id>": VIEWER,
    "GET /chatbots/<int:chatbot_id>/compare": VIEWER,
    "GET /chatbots/<int:chatbot_id>/edit": EDITOR,
    "POST /chatbots/<int:chatbot_id>/edit": EDITOR,
    "POST /chatbots/<int:chatbot_id>/try": EDITOR,
    "GET /chatbots/<int:chatbot_id>/team": EDITOR,
    "POST /chatbots/<int:chatbot_id>/team": EDITOR,
    "GET /chatbots/<int:chatbot_id>/versions/<int:number>": VIEWER,
    "GET /chatbots/<int:chatbot_id>/versions/<int:number>/make-current": EDITOR,
    "POST /chatbots/<int:chatbot_id>/versions/<int:number>/make-current": EDITOR,
    "GET /chatbots/new": EDITOR,
    "POST /chatbots/new": EDITOR,
    "POST /chatbots/new/try": EDITOR,
    "GET /conversations/": VIEWER,
    "GET /conversations/<int:conversation_id>": VIEWER,
    "GET /conversations/<int:conversation_id>/delete": EDITOR,
    "POST /conversations/<int:conversation_id>/delete": EDITOR,
    "GET /conversations/<int:conversation_id>/export": VIEWER,
    "GET /conversations/<int:conversation_id>/live": VIEWER,
    "GET /conversations/<int:conversation_id>/messages": VIEWER,
    "GET /conversations/export": VIEWER,
    "GET /healthz": ANYBODY,
    "GET /migrations/": VIEWER,
    "GET /migrations/<migration>": VIEWER,
    "GET /migrations/verify": EDITOR,
    "GET /new-password/<renewal>": ANYBODY,
    "POST /new-password/<renewal>": ANYBODY,
    "GET /people/": OWNER,
    "GET /people/<int:user_id>": OWNER,
    "GET /people/<int:user_id>/<any('close', 'second-step'):verb>": OWNER,
    "POST /people/<int:user_id>/close": OWNER,
    "POST /people/<int:user_id>/open": OWNER,
    "POST /people/<int:user_id>/password-link": OWNER,
    "POST /people/<int:user_id>/role": OWNER,
    "POST /people/<int:user_id>/second-step": OWNER,
    "POST /people/<int:user_id>/sessions": OWNER,
    "POST /people/<int:user_id>/teams": OWNER,
    "GET /people/invitations/<int:invitation_id>/withdraw": OWNER,
    "POST /people/invitations/<int:invitation_id>/renew": OWNER,
    "POST /people/invitations/<int:invitation_id>/withdraw": OWNER,
    "GET /people/invite": OWNER,
    "POST /people/invite": OWNER,
    "GET /people/teams": OWNER,
    "POST /people/teams": OWNER,
    "GET /people/teams/<int:creator_id>": OWNER,
    "POST /people/teams/<int:creator_id>/name": OWNER,
    "POST /people/teams/<int:creator_id>/remove": OWNER,
    "GET /personas/": VIEWER,
    "GET /personas/<int:persona_id>": EDITOR,
    "POST /personas/<int:persona_id>": EDITOR,
    "POST /personas/<int:persona_id>/state": EDITOR,
    "GET /personas/new": EDITOR,
    "POST /personas/new": EDITOR,
    "GET /queue/": VIEWER,
    "GET /queue/<any(inbox, outbox):kind>/<int:letter_id>/drop": EDITOR,
    "POST /queue/<any(inbox, outbox):kind>/<int:letter_id>/drop": EDITOR,
    "POST /queue/<any(inbox, outbox):kind>/<int:letter_id>/retry": EDITOR,
    "GET /queue/drop": EDITOR,
    "POST /queue/drop": EDITOR,
    "POST /queue/retry": EDITOR,
    "GET /readyz": ANYBODY,
    "GET /sign-in": ANYBODY,
    "POST /sign-in": ANYBODY,
    "GET /sign-in/code": HALF_WAY,
    "POST /sign-in/code": ANYBODY,
    "POST /sign-out": VIEWER,
    "GET /static/<path:filename>": ANYBODY,
    "GET /studio/": OWNER,
    "GET /studio/csv/<path:table>": OWNER,
    "GET /studio/delete/<path:table>/<row>": OWNER,
    "POST /studio/delete/<path:table>/<row>": OWNER,
    "GET /studio/edit/<path:table>/<row>": OWNER,
    "POST /studio/edit/<path:table>/<row>": OWNER,
    "GET /studio/new/<path:table>": OWNER,
    "POST /studio/new/<path:table>": OWNER,
    "GET /studio/row/<path:table>/<row>": OWNER,
    "GET /studio/rows/<path:table>": OWNER,
    "GET /studio/table/<path:table>": OWNER,
    "GET /talk/": EDITOR,
    "POST /talk/": EDITOR,
    "GET /talk/<int:chatbot_id>/<thread>": VIEWER,
    "POST /talk/<int:chatbot_id>/<thread>": EDITOR,
    "GET /talk/<int:chatbot_id>/<thread>/live": VIEWER,
    "GET /talk/<int:chatbot_id>/<thread>/messages": VIEWER,
    "GET /tokens/": VIEWER,
    "GET /tokens/<int:token_id>/revoke": VIEWER,
    "POST /tokens/<int:token_id>/revoke": VIEWER,
    "GET /tokens/new": VIEWER,
    "POST /tokens/new": VIEWER,
    "GET /tool-calls/": VIEWER,
    "GET /tool-calls/<int:call_id>": VIEWER,
    "GET /welcome/<token>": ANYBODY,
    "POST /welcome/<token>": ANYBODY,
}
# Part of the service itself: nobody's own.
COMMON = ("<path:filename>", "<migration>")
# Pages in other states than the one that `furnish` makes, to be looked at as well.
SIGHTS = (
    "/api/docs",
    "/audit-log/?action=nothing",
    "/conversations/?before=1",
    "/nope",
    "/queue/drop?letter=inbox-1",
    "/welcome/nothing",
)
FILES = {"static": "panel.css", "bootstrap.static": "css/bootstrap.min.css"}

Values = dict[str, str | int]


class Route(NamedTuple):
    """One method of one address; `path` is the address with the values of the world in it."""

    name: str
    path: str

    @property
    def method(self) -> str:
        return self.name.partition(" ")[0]

    @property
    def names_a_record(self) -> bool:
        return "<" in self.name and not any(part in self.name for part in COMMON)


def routes(app: Flask, values: Values) -> list[Route]:
    """Every method and address of the panel. The HTTP API has a walk of its own."""
    with app.test_request_context():
        # Signed with the key of this panel, so that nobody else can furnish it.
        values = values | {"renewal": renewals.issue(User.get_by_id(values["user_id"]))}
        rules = [rule for rule in app.url_map.iter_rules() if not rule.rule.startswith("/api/")]
        return [Route(f"{method} {rule.rule}", _path(app, rule, values)) for rule in rules for method in _methods(rule)]


def _methods(rule: Rule) -> list[str]:
    return sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})


def _path(app: Flask, rule: Rule, values: Values) -> str:
    known = values | {"filename": FILES.get(rule.endpoint, "")}
    assert rule.arguments <= set(known), f"let `furnish` give a value for {rule}"
    wanted: dict[str, Any] = {name: known[name] for name in rule.arguments}
    return app.url_for(rule.endpoint, **wanted)


def furnish(user: User) -> Values:
    """Something to see on every page, which belongs to the user alone; what the addresses call it."""
    chatbot = make_chatbot(user=user, title="Harbour desk")
    thread = thread_of(user)
    talk = Conversation.create(
        chatbot=chatbot,
        chatbot_version=versions.current(chatbot),
        user=user,
        title="Is berth 12 free?",
        channel="panel",
        thread=thread,
    )
    question = _said(talk, "user", "Is berth 12 free?", user=user)
    answer = _said(talk, "assistant", "It is, until Friday.", reply_to=question)
    call = ToolLog.create(session=talk, message=answer, server="bookings", tool="find", arguments={"berth": 12})
    dead = InboxItem.create(
        chatbot=chatbot, channel="telegram", external_id="1", thread="7", content="Hello?", state=DEAD, error="Refused."
    )
    persona = Persona.create(user=user, name="Harbour master", description="Calm, brief, knows every boat.")
    mate = User.create(email=f"mate-{user.id}@example.org", name="Mate", password_hash="-", totp_secret="A" * 32)
    return {
        "chatbot_id": chatbot.id,
        "number": 1,
        "migration": "001_initial",
        "conversation_id": talk.id,
        "thread": thread,
        "persona_id": persona.id,
        "table": "personas",
        "row": persona.id,
        "call_id": call.id,
        "kind": "inbox",
        "letter_id": dead.id,
        "user_id": mate.id,
        "verb": "close",
        "creator_id": chatbot.creator_id,
        "token": invitations.issue("new@example.org", EDITOR, chatbot.creator, user),
        "token_id": tokens.issue(user, "The harbour's website", ["read"]).token.id,
        "invitation_id": Invitation.get().id,
    }


def thread_of(user: User) -> str:
    return f"user-{user.id}-a"


def _said(talk: Conversation, role: str, content: str, **fields: object) -> Message:
    return Message.create(chatbot=talk.chatbot, conversation=talk, role=role, content=content, **fields)

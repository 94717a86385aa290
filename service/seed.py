"""What a fresh installation begins with: somebody who may sign in, and a chatbot to talk to."""

from __future__ import annotations

import secrets

import peewee as pw
from werkzeug.security import generate_password_hash

from service.chat import versions
from service.config import Config
from service.database import bind, connection, writing
from service.models import Chatbot, Creator, CreatorUser, Persona, User

DEFAULT_EMAIL = "admin@example.com"
TITLE = "Harbour desk"
PROMPT = (
    "You answer at the desk of a small harbour. Say what you know about berths, tides and opening hours in two or "
    "three short sentences, and say so when you don't know."
)
PERSONA = {
    "name": "Harbour master",
    "description": "Calm, brief, knows every boat.",
    "instructions": "Speak as the harbour master would: calmly, briefly, and with the name of the pier.",
    "color": "#0b6e75",
}


def run(config: Config) -> list[str]:
    """Add what is missing and say what was added."""
    bind(config.database_url, application="slipway-seed")
    return plant(config)


def plant(config: Config) -> list[str]:
    """The same on the database that the models are bound to. Safe to run again, and by two at once."""
    try:
        with connection() as database, writing(database):
            return [_first_user(config), _first_chatbot()]
    except pw.IntegrityError:
        return ["Somebody else is adding the same at this moment; nothing was changed here."]


def _first_user(config: Config) -> str:
    if User.select().exists():
        return "There are panel users already; none was added."
    email = (config.admin_email or DEFAULT_EMAIL).strip().lower()
    password = config.admin_password or secrets.token_urlsafe(12)
    User.create(email=email, name=email.partition("@")[0], password_hash=generate_password_hash(password))
    if config.admin_password:
        return f"Panel user {email} was added, with the password from ADMIN_PASSWORD."
    return f"Panel user {email} was added. The password, shown only this once: {password}"


def _first_chatbot() -> str:
    if Chatbot.select().exists():
        return "There are chatbots already; none was added."
    owner = User.select().order_by(User.id).get()
    creator = Creator.create(name="Harbour")
    CreatorUser.create(creator=creator, user=owner)
    chatbot = Chatbot.create(creator=creator, title=TITLE, system_prompt=PROMPT)
    versions.current(chatbot)
    Persona.create(user=owner, **PERSONA)
    return f"The chatbot {TITLE!r} was added; it answers without a network."

"""What is answered without a provider: commands, and what can't be read. It goes through the inbox like every message,
so that it is answered in order and once, and it stands in the transcript; but it is no part of the talk."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from service.chat.commands import COMMANDS, Command, parse
from service.chat.respond import Settle, remark
from service.chat.text import shortened
from service.database import connection
from service.models import Chatbot, Conversation, CreatorUser, InboxItem, Message, Persona, User
from service.models.base import caseless

# The channel marks an aside in the metadata of its item: with this, or with the name of the thing that can't be read.
MARK, COMMAND = "aside", "command"
NOBODY = ("none", "off", "nobody")
LONGEST_THREAD = 100  # leaves room in the column for what marks an old one


class Aside(NamedTuple):
    """What to say, and what to change in the conversation in the same transaction."""

    text: str
    change: Callable[[Conversation], object] = lambda _conversation: None


def is_aside(item: InboxItem) -> bool:
    return MARK in item.metadata


def answer(item: InboxItem, settle: Settle) -> Message:
    """Write the reply and do what the command says; `settle` as in `respond`."""
    with connection():
        aside = _aside(item)
        return remark(item, aside.text, settle, aside.change)


def _aside(item: InboxItem) -> Aside:
    command = parse(item.content)
    if item.metadata[MARK] != COMMAND or command is None:
        return Aside(f"I can only read text, so I don't know what is in this {item.metadata[MARK]}. Tell me in words.")
    return _ANSWERS.get(command.name, _unknown)(item.chatbot, command)


def _start(chatbot: Chatbot, _command: Command) -> Aside:
    return Aside(f"Hello, I am {chatbot.title}. Write to me, and I answer. /help says what else I can do.")


def _help(_chatbot: Chatbot, _command: Command) -> Aside:
    known = "\n".join(f"/{name}: {purpose}" for name, purpose in COMMANDS.items())
    return Aside(f"Write to me, and I answer. Besides, I know these commands:\n\n{known}")


def _unknown(_chatbot: Chatbot, command: Command) -> Aside:
    return Aside(f"I don't know /{command.name}. /help says what I can do.")


def _reset(_chatbot: Chatbot, _command: Command) -> Aside:
    return Aside("Done: your next message begins a new talk, and I no longer think of this one.", _archive)


def _archive(conversation: Conversation) -> None:
    """The next message finds no conversation in its thread, and so begins one, with the chatbot's current version."""
    old = f"{(conversation.thread or '')[:LONGEST_THREAD]}#{conversation.id}"
    Conversation.update(thread=old).where(Conversation.id == conversation.id).execute()


def _persona(chatbot: Chatbot, command: Command) -> Aside:
    personas = active_personas(chatbot)
    if not personas:
        return Aside("I have no personas to choose from: I answer as myself.")
    if not command.argument:
        return Aside(_listing(personas))
    if command.argument.casefold() in NOBODY:
        return Aside("From now on I answer as myself.", _chooses(None))
    chosen = chosen_by(command.argument, personas)
    if chosen is None:
        return Aside(f"There is no persona “{shortened(command.argument, 60)}”. /persona shows them all.")
    return Aside(f"From now on I answer as {chosen.name}.", _chooses(chosen))


def active_personas(chatbot: Chatbot) -> list[Persona]:
    """Those of the people behind the chatbot, by name."""
    behind = CreatorUser.select(CreatorUser.user).where(CreatorUser.creator == chatbot.creator_id)
    theirs = Persona.select().join(User).where(Persona.user.in_(behind), Persona.is_active, User.is_active)
    return list(theirs.order_by(caseless(Persona.name), Persona.id))


def chosen_by(words: str, personas: list[Persona]) -> Persona | None:
    """The persona of that name, whatever its case; else the one with that number in the list, from 1."""
    named = [persona for persona in personas if persona.name.casefold() == words.casefold()]
    if named:
        return named[0]
    number = int(words) if words.isdecimal() and len(words) < 6 else 0
    return personas[number - 1] if 1 <= number <= len(personas) else None


def _chooses(persona: Persona | None) -> Callable[[Conversation], object]:
    def change(conversation: Conversation) -> None:
        Conversation.update(persona=persona).where(Conversation.id == conversation.id).execute()

    return change


def _listing(personas: list[Persona]) -> str:
    lines = "\n".join(_line(number, persona) for number, persona in enumerate(personas, start=1))
    return f"I can answer as:\n\n{lines}\n\n/persona with a name or a number chooses one, /persona none ends it."


def _line(number: int, persona: Persona) -> str:
    description = shortened(persona.description, 120)
    return f"{number}. {persona.name}" + (f": {description}" if description else "")


_ANSWERS: dict[str, Callable[[Chatbot, Command], Aside]] = {
    "help": _help,
    "persona": _persona,
    "reset": _reset,
    "start": _start,
}

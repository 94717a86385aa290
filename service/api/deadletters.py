"""Dead letters: what was given up, to be tried again or left at that."""

from __future__ import annotations

from typing import Literal

from flask import g
from pydantic import Field

from service.api import changes
from service.api.endpoints import Group
from service.api.problems import Problem
from service.api.tokens import READ, WRITE
from service.api.values import LARGEST_BIG, Answer, Page, Paging, Stamp
from service.chat import deadletters
from service.database import proxy, writing

group = Group("Dead letters", "Messages that nobody could answer, and answers that could not be delivered.")

Kind = Literal["inbox", "outbox"]
RULE = "/dead-letters/<any(inbox, outbox):kind>"


class DeadLetterAnswer(Answer):
    kind: Kind
    id: int
    chatbot_id: int
    chatbot: str
    conversation_id: int | None
    channel: str
    text: str = Field(description="The question in the inbox, the answer in the outbox.")
    reason: str = Field(description="What the last attempt failed with.")
    attempts: int
    created_at: Stamp
    died_at: Stamp | None


@group.get(RULE, scope=READ, query=Paging, answer=Page[DeadLetterAnswer])
def index(kind: Kind, query: Paging) -> Page[DeadLetterAnswer]:
    """Dead letters of one kind, the newest first."""
    found = deadletters.listed(g.user, kind, before=query.cursor, limit=query.limit + 1)
    shown = found[: query.limit]
    more = shown[-1].id if len(found) > query.limit else None
    return Page(items=[DeadLetterAnswer.model_validate(letter) for letter in shown], next_cursor=more)


@group.post(f"{RULE}/<int:letter_id>/retry", scope=WRITE, status=204, refusals=(409,))
def retry(kind: Kind, letter_id: int) -> None:
    """Have it tried again, as if it had never been tried."""
    letter = _find(kind, letter_id)
    with writing(proxy.obj):
        if not deadletters.retry(letter):
            raise _taken()
        changes.note("deadletter.retry", str(letter))


@group.delete(f"{RULE}/<int:letter_id>", scope=WRITE, status=204, refusals=(409,))
def drop(kind: Kind, letter_id: int) -> None:
    """Leave it at that: it is no dead letter any more, and will not be tried again."""
    letter = _find(kind, letter_id)
    with writing(proxy.obj):
        if not deadletters.drop(letter):
            raise _taken()
        changes.note("deadletter.drop", str(letter))


def _find(kind: Kind, number: int) -> deadletters.DeadLetter:
    letter = deadletters.find(g.user, kind, number) if number <= LARGEST_BIG else None
    if letter is None:
        raise Problem(404, f"There is no dead letter {number} in the {kind}, or it is not yours to see.")
    return letter


def _taken() -> Problem:
    return Problem(409, "Somebody else was first to decide what becomes of it.")

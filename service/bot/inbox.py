"""The queue of messages that wait for an answer."""

from __future__ import annotations

from datetime import timedelta

from service.bot.consumer import GiveUp, Later, Outcome
from service.bot.lease import Lease, LeaseLost, Queue
from service.bot.showing import shown
from service.chat import asides, deadletters, following
from service.chat.cancel import Cancelled
from service.chat.outside import Outside
from service.chat.providers import ProviderError, Providers
from service.chat.respond import apologise, respond
from service.faults import is_outage
from service.models import InboxItem, Message
from service.models.base import utc_now

INBOX = Queue(
    "inbox",
    InboxItem,
    lane=("chatbot", "channel", "thread"),
    attempts=deadletters.ATTEMPTS["inbox"],
    told=following.IS_FOLLOWED,
)

# For so long an overloaded provider may put a person off before its refusals count as failed attempts.
PATIENCE = timedelta(minutes=10)


def answer(lease: Lease[InboxItem], providers: Providers, outside: Outside | None = None) -> Outcome:
    if asides.is_aside(lease.item):
        remark = asides.answer(lease.item, lease.finish)
        return _answered("answered by itself with", remark)
    try:
        with shown(lease) as show:
            reply = respond(lease.item, providers, lease.finish, outside, is_cancelled=lease.is_over.is_set, show=show)
    except Cancelled as cancelled:
        raise LeaseLost(f"{lease} was given up while it was being answered.") from cancelled
    except ProviderError as error:
        if not error.is_temporary:
            raise GiveUp(str(error)) from error
        if error.delay and utc_now() - lease.item.created_at < PATIENCE:
            raise Later(error.delay) from error
        raise
    return _answered("answered by", reply)


def _answered(how: str, reply: Message) -> Outcome:
    facts = {
        "message_id": reply.id,
        "conversation_id": reply.conversation_id,
        "input_tokens": reply.input_tokens,
        "output_tokens": reply.output_tokens,
    }
    return Outcome(
        f"{how} message {reply.id} of conversation {reply.conversation_id}",
        {name: value for name, value in facts.items() if value is not None},
    )


def apologise_and_bury(lease: Lease[InboxItem], error: str) -> None:
    """The person learns that there will be no answer; where even that can't be written, the reason is kept."""
    try:
        apologise(lease.item, error, lambda: lease.bury(error))
    except Exception as failure:
        if is_outage(failure) or isinstance(failure, LeaseLost):
            raise
        lease.bury(f"{error} No apology could be written: {type(failure).__name__}: {failure}")

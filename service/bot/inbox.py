"""The queue of messages that wait for an answer."""

from __future__ import annotations

from service.bot.consumer import GiveUp
from service.bot.lease import Lease, LeaseLost, Queue
from service.chat import asides
from service.chat.providers import ProviderError, Providers
from service.chat.respond import apologise, respond
from service.faults import is_outage
from service.models import InboxItem

INBOX = Queue("inbox", InboxItem, lane=("chatbot", "channel", "thread"))


def answer(lease: Lease[InboxItem], providers: Providers) -> str:
    if asides.is_aside(lease.item):
        remark = asides.answer(lease.item, lease.finish)
        return f"answered by itself with message {remark.id} of conversation {remark.conversation_id}"
    try:
        reply = respond(lease.item, providers, lease.finish)
    except ProviderError as error:
        if error.is_temporary:
            raise
        raise GiveUp(str(error)) from error
    return f"answered by message {reply.id} of conversation {reply.conversation_id}"


def apologise_and_bury(lease: Lease[InboxItem], error: str) -> None:
    """The person learns that there will be no answer; where even that can't be written, the reason is kept."""
    try:
        apologise(lease.item, error, lambda: lease.bury(error))
    except Exception as failure:
        if is_outage(failure) or isinstance(failure, LeaseLost):
            raise
        lease.bury(f"{error} No apology could be written: {type(failure).__name__}: {failure}")

"""The queue of answers that wait for delivery outside the panel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from service.bot.consumer import Outcome
from service.bot.lease import Lease, Queue
from service.chat import deadletters
from service.models import OutboxItem

Address = Mapping[str, Any]

_TEXT = "(SELECT content FROM messages m WHERE m.id = outbox.message_id) AS text"


class Sender(Protocol):
    def send(self, text: str, address: Address, keep: Callable[[Address], None]) -> None:
        """Deliver the text. `keep` stores the address with what an attempt after this one needs to know.
        Raises Later or GiveUp; any other error is worth another attempt."""
        ...


def outbox(channel: str) -> Queue[OutboxItem]:
    attempts = deadletters.ATTEMPTS["outbox"]
    return Queue("outbox", OutboxItem, lane=("conversation",), channel=channel, attempts=attempts, told=_TEXT)


def deliver(lease: Lease[OutboxItem], sender: Sender) -> Outcome:
    sender.send(lease.item.text, lease.item.address, lambda address: lease.keep(address=address))
    lease.finish()
    return Outcome(f"delivered message {lease.item.message_id}", {"message_id": lease.item.message_id})


def bury(lease: Lease[OutboxItem], error: str) -> None:
    lease.bury(error)

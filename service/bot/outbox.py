"""The queue of answers that wait for delivery outside the panel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from service.bot.lease import Lease, Queue
from service.database import connection
from service.models import OutboxItem


class Sender(Protocol):
    def send(self, text: str, address: Mapping[str, Any], sent: int, keep: Callable[[int], None]) -> None:
        """Deliver the text. A long one goes in parts: `sent` of them went before, and `keep` is told of each more.
        Raises Later or GiveUp; any other error is worth another attempt."""
        ...


def outbox(channel: str) -> Queue[OutboxItem]:
    only = OutboxItem.channel == channel
    return Queue("outbox", OutboxItem, lane=("conversation",), only=only, attempts=10)


def deliver(lease: Lease[OutboxItem], sender: Sender) -> str:
    address = lease.item.address
    with connection():
        text = lease.item.message.content

    def keep(sent: int) -> None:
        lease.keep(address={**address, "sent": sent})

    sender.send(text, address, address.get("sent", 0), keep)
    lease.finish()
    return f"delivered message {lease.item.message_id}"


def bury(lease: Lease[OutboxItem], error: str) -> None:
    lease.bury(error)

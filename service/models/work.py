"""Work that survives a crash: messages that came in and are not answered, answers that are not delivered, and duties
that one process at a time has. And what need not survive one: who looks on meanwhile."""

from __future__ import annotations

import peewee as pw

from service.models.base import Table, utc_now
from service.models.chatbots import Chatbot
from service.models.conversations import Conversation, Message

QUEUED, LEASED, DONE, DEAD = "queued", "leased", "done", "dead"


class Job(Table):
    """A row that one worker at a time may hold, until `leased_until`; then it is anybody's again. `begun_at` is when
    the present attempt began, or the last one."""

    id = pw.BigAutoField()
    state = pw.CharField(max_length=10, default=QUEUED)
    attempts = pw.IntegerField(default=0)
    available_at = pw.DateTimeField(default=utc_now)
    leased_by = pw.CharField(max_length=120, null=True)
    leased_until = pw.DateTimeField(null=True)
    begun_at = pw.DateTimeField(null=True)
    error = pw.TextField(null=True)
    created_at = pw.DateTimeField(default=utc_now)
    finished_at = pw.DateTimeField(null=True)
    # Not a column: whoever took it was told that there are others in the queue.
    has_others = True


class InboxItem(Job):
    """A message to a chatbot. `external_id` is the channel's own number for it, so that it is stored once; `reply` is
    what it was answered with, be it an apology."""

    chatbot = pw.ForeignKeyField(Chatbot, backref="inbox", on_delete="RESTRICT")
    chatbot_id: int
    channel = pw.CharField(max_length=20)
    external_id = pw.CharField(max_length=120)
    thread = pw.CharField(max_length=120)
    content = pw.TextField()
    metadata = pw.JSONField(default=dict)
    reply = pw.ForeignKeyField(Message, null=True, backref="+", on_delete="SET NULL")
    # Not a column: who takes it is told beside the row.
    is_followed = False

    class Meta:
        table_name = "inbox"
        indexes = ((("channel", "external_id"), True),)


class OutboxItem(Job):
    """An assistant's message on its way to a channel outside the panel."""

    conversation = pw.ForeignKeyField(Conversation, backref="outbox", on_delete="CASCADE")
    message = pw.ForeignKeyField(Message, backref="outbox", on_delete="CASCADE", unique=True)
    message_id: int
    channel = pw.CharField(max_length=20)
    address = pw.JSONField(default=dict)
    # Not a column either.
    text = ""

    class Meta:
        table_name = "outbox"


class FollowedThread(Table):
    """A thread that somebody looks at until then, and what there is of the answer to one of its messages so far. On
    PostgreSQL it is unlogged."""

    id = pw.BigAutoField()
    chatbot = pw.ForeignKeyField(Chatbot, backref="+", on_delete="CASCADE")
    channel = pw.CharField(max_length=20)
    thread = pw.CharField(max_length=120)
    until = pw.DateTimeField()
    item = pw.ForeignKeyField(InboxItem, null=True, backref="+", on_delete="CASCADE")
    text = pw.TextField(default="")

    class Meta:
        table_name = "followed_threads"
        indexes = ((("chatbot", "channel", "thread"), True),)


class Duty(Table):
    """Something that one process at a time does, such as asking Telegram for updates: who has it, until when, and when
    it was last done."""

    name = pw.CharField(max_length=60, unique=True)
    holder = pw.CharField(max_length=120, null=True)
    held_until = pw.DateTimeField(null=True)
    done_at = pw.DateTimeField(null=True)

    class Meta:
        table_name = "duties"


def _index_the_rest(model: type[Job], *lane: pw.Field) -> None:
    """Finished work stays in the table. These indexes hold what waits, oldest first and by conversation, what is in
    hand before what is queued ('leased' < 'queued'), and what was given up."""
    table, waits = model._meta.table_name, model.state.in_([QUEUED, LEASED])
    model.add_index(model.id, name=f"{table}_waiting", where=waits)
    model.add_index(*lane, model.state, model.id, name=f"{table}_lane", where=waits)
    model.add_index(model.id, name=f"{table}_dead", where=model.state == DEAD)


_index_the_rest(InboxItem, InboxItem.chatbot, InboxItem.channel, InboxItem.thread)
_index_the_rest(OutboxItem, OutboxItem.conversation)

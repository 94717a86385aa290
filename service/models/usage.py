"""What happened on each day: kept in sums, so that a page about a year reads some hundred rows and no messages."""

from __future__ import annotations

import peewee as pw

from service.models.base import Table
from service.models.chatbots import Chatbot


class UsageDay(Table):
    """One chatbot's day in UTC; without a chatbot, that of all of them. `durations` counts the answers by how long they
    took: upper bound in ms -> count."""

    id = pw.BigAutoField()
    day = pw.DateField()
    chatbot = pw.ForeignKeyField(Chatbot, null=True, backref="usage", on_delete="CASCADE")
    chatbot_id: int
    conversations = pw.IntegerField(default=0)
    messages = pw.IntegerField(default=0)
    answers = pw.IntegerField(default=0)
    errors = pw.IntegerField(default=0)
    input_tokens = pw.BigIntegerField(default=0)
    output_tokens = pw.BigIntegerField(default=0)
    durations = pw.JSONField(default=dict)

    class Meta:
        table_name = "usage_days"
        indexes = ((("day", "chatbot"), True),)


UsageDay.add_index(UsageDay.day, unique=True, name="usage_days_of_all", where=UsageDay.chatbot.is_null())

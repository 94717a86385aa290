"""A message is stored, together with the words that it is found by."""

from __future__ import annotations

import json

from service.chat import search
from service.database import is_sqlite, proxy
from service.models import Message
from service.models.statement import Statement

_NOTHING = dict.fromkeys(Message._meta.sorted_field_names)
_INSERT = """
    INSERT INTO messages (chatbot_id, conversation_id, user_id, persona_id, role, content, reply_to_id, metadata,
                          created_at, duration_ms, input_tokens, output_tokens, error)
    VALUES (:chatbot, :conversation, :user, :persona, :role, :content, :reply_to, :metadata,
            :created_at, :duration_ms, :input_tokens, :output_tokens, :error)
    RETURNING id"""
# PostgreSQL does both at once; in SQLite, where no way is long, the words follow.
_SAY = Statement(
    _INSERT,
    postgresql=f"""
    WITH said AS ({_INSERT}),
      found AS (INSERT INTO message_search (message_id, words) SELECT id, array_to_tsvector(:words) FROM said)
    SELECT id FROM said""",
)


def say(message: Message) -> Message:
    """Store what is new, and give it its id. Belongs into the transaction that it was said in."""
    values = {**_NOTHING, **message.__data__, "metadata": json.dumps(message.metadata)}
    [(message.id,)] = _SAY.rows(words=search.kept(message), **values)
    if is_sqlite(proxy.obj):
        search.index(message)
    return message

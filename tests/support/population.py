"""A service that has been busy for a year: what its pages have to cope with. On PostgreSQL, a minute for a million."""

from __future__ import annotations

from contextlib import closing
from typing import NamedTuple

from service.url import DatabaseUrl
from tests.support.postgresql import connect

EMAIL, PASSWORD = "owner@example.org", "a long enough password"
# Words of one sort only, so that what the database counts as a word is what the search does.
_WORDS = (
    "harbour berth tide pilot quay crane cargo vessel anchor rope storm light buoy chart sail port depth swell ferry "
    "dock fuel water permit fee crew captain deck bridge engine repair paint hull mast winch net fish ice truck gate"
)


class Size(NamedTuple):
    chatbots: int = 1_000
    conversations: int = 10_000
    messages: int = 1_000_000
    days: int = 365


def fill(url: DatabaseUrl, size: Size, password_hash: str) -> None:
    """Into a database with the full schema and nothing in it. The same rows every time."""
    given = {**size._asdict(), "each": size.messages // size.conversations, "email": EMAIL, "hash": password_hash}
    with closing(connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT setseed(0.42)")
            for statement in STATEMENTS:
                cursor.execute(statement, given | {"words": _WORDS.split()})


STATEMENTS = (
    """
    INSERT INTO users (email, name, password_hash, is_active, failed_sign_ins, created_at, role)
    SELECT CASE n WHEN 1 THEN %(email)s ELSE 'user' || n || '@example.org' END, 'User ' || n, %(hash)s, true, 0, now(),
           CASE n WHEN 1 THEN 'owner' ELSE 'editor' END
    FROM generate_series(1, 50) n
    """,
    "INSERT INTO creators (name, created_at) SELECT 'Team ' || n, now() FROM generate_series(1, 20) n",
    """
    INSERT INTO creator_users (creator_id, user_id, created_at)
    SELECT 1 + n %% 20, n, now() FROM generate_series(1, 50) n
    """,
    """
    INSERT INTO chatbots (creator_id, title, created_at, system_prompt)
    SELECT 1 + n %% 20, 'Chatbot ' || n, now() - interval '400 days', repeat('Answer briefly. ', 20)
    FROM generate_series(1, %(chatbots)s) n
    """,
    """
    INSERT INTO chatbot_versions (chatbot_id, number, created_by_id, created_at, system_prompt, notes)
    SELECT c.id, v, 1, now() - interval '390 days' + v * interval '1 day', c.system_prompt, 'Change ' || v
    FROM chatbots c, generate_series(1, 3) v
    """,
    """
    UPDATE chatbots SET current_version_id = v.id
    FROM chatbot_versions v WHERE v.chatbot_id = chatbots.id AND v.number = 3
    """,
    """
    INSERT INTO personas (user_id, name, instructions, created_at)
    SELECT 1 + n %% 50, 'Persona ' || n, 'Speak calmly.', now() FROM generate_series(1, 100) n
    """,
    # A year of conversations; the newest are spread over the last day too.
    """
    INSERT INTO conversations (chatbot_id, chatbot_version_id, user_id, title, channel, thread, created_at, updated_at)
    SELECT c.id, v.id, CASE WHEN n %% 3 = 0 THEN 1 + n %% 50 END, 'Conversation ' || n,
           (ARRAY['panel', 'telegram', 'api'])[1 + n %% 3], 'thread-' || n, began, began + interval '2 hours'
    FROM generate_series(1, %(conversations)s) n
    JOIN chatbots c ON c.id = 1 + (n * 7919) %% %(chatbots)s
    JOIN chatbot_versions v ON v.chatbot_id = c.id AND v.number = 1 + n %% 3,
    LATERAL (
        SELECT now() - %(days)s * interval '1 day' * (1 - n::float / %(conversations)s) - interval '2 hours'
    ) t (began)
    """,
    """
    INSERT INTO messages (chatbot_id, conversation_id, user_id, persona_id, role, content, created_at, duration_ms,
                          input_tokens, output_tokens, error)
    SELECT c.chatbot_id, c.id, c.user_id, CASE WHEN is_answer AND c.id %% 5 = 0 THEN 1 + c.id %% 100 END,
           CASE WHEN is_answer THEN 'assistant' ELSE 'user' END, said.content,
           c.created_at + n * interval '1 minute',
           CASE WHEN is_answer THEN (300 + 3000 * random() ^ 4)::int END,
           CASE WHEN is_answer THEN (200 + 800 * random())::int END,
           CASE WHEN is_answer THEN (20 + 200 * random())::int END,
           CASE WHEN is_answer AND random() < 0.01 THEN 'The endpoint answered 503.' END
    FROM conversations c CROSS JOIN generate_series(1, %(each)s) n,
    LATERAL (SELECT n %% 2 = 0) kind (is_answer),
    LATERAL (
        SELECT string_agg((%(words)s::text[])[1 + (random() * (array_length(%(words)s::text[], 1) - 1))::int], ' ')
        FROM generate_series(1, 8 + (c.id + n) %% 40)
    ) said (content)
    """,
    "UPDATE messages SET reply_to_id = id - 1 WHERE role = 'assistant' AND id %% 7 = 0",
    """
    INSERT INTO message_search (message_id, words)
    SELECT id, array_to_tsvector(string_to_array(content, ' ')) FROM messages
    """,
    """
    INSERT INTO tool_logs (session_id, message_id, server, tool, arguments, result, error, duration_ms, created_at)
    SELECT conversation_id, id, (ARRAY['tides', 'berths', 'weather'])[1 + id %% 9 / 3], 'look_up', '{"pier": 4}',
           'High at noon.', CASE WHEN id %% 97 = 0 THEN 'timed out' END, (random() * 900)::int, created_at
    FROM messages WHERE role = 'assistant' AND id %% 6 = 0
    """,
    # Answered work stays in the table.
    """
    INSERT INTO inbox (chatbot_id, channel, external_id, thread, content, metadata, state, attempts, available_at,
                       created_at, finished_at, reply_id)
    SELECT m.chatbot_id, c.channel, 'message-' || m.id, c.thread, m.content, '{}',
           CASE WHEN m.id %% 9973 = 1 THEN 'dead' ELSE 'done' END, 1, m.created_at, m.created_at, m.created_at, NULL
    FROM messages m JOIN conversations c ON c.id = m.conversation_id WHERE m.role = 'user'
    """,
    """
    INSERT INTO outbox (conversation_id, message_id, channel, address, state, attempts, available_at, created_at,
                        finished_at)
    SELECT c.id, m.id, c.channel, '{}', CASE WHEN m.id %% 9973 = 2 THEN 'dead' ELSE 'done' END, 1, m.created_at,
           m.created_at, m.created_at
    FROM messages m JOIN conversations c ON c.id = m.conversation_id
    WHERE m.role = 'assistant' AND c.channel = 'telegram'
    """,
    """
    INSERT INTO usage_days (day, chatbot_id, conversations, messages, answers, errors, input_tokens, output_tokens,
                            durations)
    SELECT created_at::date, chatbot_id, count(DISTINCT conversation_id), count(*),
           count(*) FILTER (WHERE role = 'assistant'), count(error), coalesce(sum(input_tokens), 0),
           coalesce(sum(output_tokens), 0), '{}'
    FROM messages GROUP BY created_at::date, chatbot_id
    """,
    """
    INSERT INTO usage_days (day, conversations, messages, answers, errors, input_tokens, output_tokens, durations)
    SELECT day, sum(conversations), sum(messages), sum(answers), sum(errors), sum(input_tokens), sum(output_tokens),
           '{"340": 20, "501": 60, "980": 15, "3100": 5}'
    FROM usage_days GROUP BY day
    """,
    """
    INSERT INTO audit_log (user_id, actor, action, subject, details, created_at)
    SELECT 1 + n %% 50, 'user' || n %% 50 || '@example.org', 'chatbot.publish', 'Chatbot ' || n %% %(chatbots)s, '{}',
           now() - n * interval '5 minutes'
    FROM generate_series(50000, 1, -1) n
    """,
    "VACUUM ANALYZE",
    "CHECKPOINT",
)

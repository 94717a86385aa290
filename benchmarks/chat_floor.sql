-- One message through inbox, answer and outbox: the writes of the worker and nothing else, for pgbench. Each client takes
-- every :clients-th row.
\set n :n + 1
\set row (:n - 1) * :clients + :client_id + 1
\set talk (:row - 1) % :conversations + 1
UPDATE inbox SET state = 'leased', attempts = attempts + 1, leased_by = 'pgbench', leased_until = clock_timestamp() AT TIME ZONE 'UTC' + interval '30 s', begun_at = clock_timestamp() AT TIME ZONE 'UTC' WHERE id = :row AND state = 'queued' RETURNING *;
BEGIN;
UPDATE inbox SET state = 'done', finished_at = clock_timestamp() AT TIME ZONE 'UTC', leased_by = NULL, leased_until = NULL WHERE id = :row AND leased_by = 'pgbench';
UPDATE conversations SET updated_at = now() WHERE id = :talk;
WITH said AS (INSERT INTO messages (chatbot_id, conversation_id, role, content, metadata, created_at) VALUES (1, :talk, 'user', 'What is the tide at the northern pier today?', '{"inbox": 1}', now()) RETURNING id), found AS (INSERT INTO message_search (message_id, words) SELECT id, array_to_tsvector(ARRAY['at', 'is', 'northern', 'pier', 'the', 'tide', 'today', 'what']) FROM said) SELECT id FROM said \gset question_
WITH said AS (INSERT INTO messages (chatbot_id, conversation_id, role, content, reply_to_id, metadata, created_at, duration_ms) VALUES (1, :talk, 'assistant', 'You wrote: "What is the tide at the northern pier today?". I am the offline provider: I answer without a model and without a network.', :question_id, '{}', now(), 10) RETURNING id), found AS (INSERT INTO message_search (message_id, words) SELECT id, array_to_tsvector(ARRAY['a', 'am', 'and', 'answer', 'at', 'i', 'is', 'model', 'network', 'northern', 'offline', 'pier', 'provider', 'the', 'tide', 'today', 'what', 'without', 'wrote', 'you']) FROM said) SELECT id FROM said \gset reply_
UPDATE inbox SET reply_id = :reply_id WHERE id = :row;
INSERT INTO outbox (conversation_id, message_id, channel, address, state, attempts, available_at, created_at) VALUES (:talk, :reply_id, 'benchmark', '{}', 'queued', 0, now(), now()) RETURNING id \gset delivery_
COMMIT;
UPDATE outbox SET state = 'leased', attempts = attempts + 1, leased_by = 'pgbench', leased_until = clock_timestamp() AT TIME ZONE 'UTC' + interval '30 s', begun_at = clock_timestamp() AT TIME ZONE 'UTC' WHERE id = :delivery_id AND state = 'queued' RETURNING *;
UPDATE outbox SET state = 'done', finished_at = clock_timestamp() AT TIME ZONE 'UTC', leased_by = NULL, leased_until = NULL WHERE id = :delivery_id AND leased_by = 'pgbench';

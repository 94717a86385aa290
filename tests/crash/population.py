"""What fills the tables between two migrations: children, NULLs, duplicates and letters of many kinds."""

from __future__ import annotations

OLD = "'2020-01-02 03:04:05'"
_ROWS = {
    "001_people": [
        f"INSERT INTO authors (name, email, rank, joined) VALUES ('Zoë 🐙', 'z@example.org', NULL, {OLD}),"
        f" ('Ada', NULL, 1, {OLD}), ('Ada', NULL, 1, {OLD}), ('小明; DROP', 'x%s@example.org', 3, {OLD})",
        "INSERT INTO books (author_id, title, price) VALUES (1, 'Ein Buch', 12), (1, 'Ein Buch', NULL), (2, '', 0),"
        " (4, '百 % ''quoted''', 500)",
        "INSERT INTO drafts (text) VALUES ('once'), ('twice'), ('twice')",
    ],
    "002_fields": [f"INSERT INTO authors (name, joined, mentor_id) VALUES ('A pupil', {OLD}, 1)"],
    "005_notes": ["INSERT INTO notes (id, text) VALUES (200, NULL)"],
}
_SERVICE_ROWS = {
    "001_initial": [
        "INSERT INTO users (id, email, name, password_hash, is_active, failed_sign_ins, created_at) VALUES"
        f" (11, 'a@example.org', 'Zoë 🐙', 'x', TRUE, 0, {OLD}), (12, 'b@example.org', 'Bo', 'x', FALSE, 2, {OLD})",
        f"INSERT INTO creators (id, name, created_at) VALUES (11, 'One', {OLD}), (12, 'One', {OLD}), (13, '三', {OLD})",
        "INSERT INTO chatbots (id, creator_id, title, created_at) VALUES"
        f" (11, 11, 'Bot', {OLD}), (12, 11, 'Bot', {OLD}), (13, 12, 'Bot ✓', {OLD}), (14, 13, 'No one''s', {OLD})",
        "INSERT INTO creator_users (creator_id, user_id, created_at) VALUES"
        f" (11, 11, {OLD}), (11, 12, {OLD}), (12, 12, {OLD})",
        f"INSERT INTO personas (user_id, name, instructions, created_at) VALUES (11, 'P', '', {OLD}),"
        f" (11, 'P', 'Be % kind; always', {OLD})",
    ],
    "002_chat_history": [
        "INSERT INTO messages (chatbot_id, user_id, persona_id, role, content, created_at) VALUES"
        f" (11, 11, 1, 'user', 'a', {OLD}), (11, 11, NULL, 'twin', 'a', {OLD}), (11, NULL, NULL, 'user', 'é', {OLD}),"
        f" (13, 12, 2, 'assistant', '🐙', {OLD}), (14, NULL, NULL, 'system', '', {OLD})"
    ],
    "006_mcp_tool_logging": [
        "INSERT INTO tool_logs (server, tool, arguments, result, created_at) VALUES"
        f" ('s', 't', '{{\"k\": [1, null]}}', NULL, {OLD}), ('s', 't', '{{}}', 'ok', {OLD})"
    ],
    "008_chatbot_versioning": ["UPDATE chatbots SET system_prompt = 'Be brief' WHERE id = 11"],
}


def corpus_rows(name: str) -> list[str]:
    """The statements that fill the tables after this migration."""
    return _ROWS.get(name, [])


def service_rows(name: str) -> list[str]:
    return _SERVICE_ROWS.get(name, [])

"""What the browser leaves alone, and why: here, other pages have rules that a plain UPDATE would get around."""

from __future__ import annotations

from service.admin.studio.catalog import Column, Table
from service.models import OWNER, SETTINGS, AuditEvent, Chatbot, ChatbotVersion, User

_RUNNER = "Only `migrate` writes what it remembers."
_TABLES = {
    ChatbotVersion._meta.table_name: "A version is never changed: publish the next one under Chatbots.",
    AuditEvent._meta.table_name: "The audit log is only ever added to.",
    "migratehistory": _RUNNER,
    "migratejournal": _RUNNER,
}
_PUBLISHED = "It is part of each version: publish a new one under Chatbots."
_PEOPLE = "It is changed under People, which sees to it that an owner stays."
_COLUMNS = {
    **{(Chatbot._meta.table_name, Chatbot._meta.fields[name].column_name): _PUBLISHED for name in SETTINGS},
    (Chatbot._meta.table_name, "current_version_id"): _PUBLISHED,
    **{(User._meta.table_name, name): _PEOPLE for name in ("role", "is_active", "session_epoch", "totp_step")},
}


def of_table(table: Table) -> str:
    """Why no row of the table may be written; an empty text where they may."""
    if not table.key:
        return "It has no primary key, so its rows can't be told apart."
    return _TABLES.get(table.name, "")


def of_column(table: Table, column: Column) -> str:
    """Why nothing may be typed into the column."""
    if column.is_computed:
        return "The database computes it."
    if column.kind == "other":
        return f"Values of the type {column.type or 'that is not declared'} can only be looked at here."
    return _COLUMNS.get((table.name, column.name), "")


def of_insert(table: Table) -> str:
    """Why no row may be added: the table is not to be written, or needs what can't be typed."""
    for column in table.columns:
        is_needed = column.is_required and not column.default and not column.is_computed
        if is_needed and column.is_secret:
            return f"Each row needs a {column.name}, which only the page that it belongs to can make."
        if is_needed and column.kind == "other":
            return f"Each row needs a {column.name}, and values of the type {column.type} can't be typed."
    return of_table(table)


def of_delete(table: Table, values: dict[str, object]) -> str:
    """Why this row may not be deleted; `values` are its columns by name."""
    if table.name == User._meta.table_name and values.get("role") == OWNER:
        return "An owner can't be deleted. Give them another role under People first, which needs another owner."
    return of_table(table)

"""What to do about what a database says: the errors that no migration is to blame for, each with its way out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from service.url import DatabaseUrl

# Whose rights count, as the server has it; asked where an advice names it.
RoleOf = Callable[[DatabaseUrl], str]
# What a database says (the words of PostgreSQL, of libpq and of SQLite), and what helps. A pattern's groups stand in
# the advice by their names, beside the user, the role whose rights count, the name and the folder of the database.
_WHERE = (
    (
        r'database "(?P<which>[^"]+)" does not exist',
        "Make it with `CREATE DATABASE {which}`, or correct the name in DATABASE_URL.",
    ),
    (
        r'role "(?P<which>[^"]+)" does not exist',
        "Make it with `CREATE ROLE {which} LOGIN PASSWORD '…'`, or correct the user in DATABASE_URL.",
    ),
    (
        r"password authentication failed",
        "Correct the password in DATABASE_URL; if it is right, it has expired: "
        "`ALTER ROLE {user} VALID UNTIL 'infinity'`.",
    ),
    (r"no password supplied", "DATABASE_URL has no password: postgresql://{user}:PASSWORD@HOST/{name}."),
    (
        r"no pg_hba.conf entry .*no encryption",
        "If the server wants encryption, put ?sslmode=require behind DATABASE_URL; else its pg_hba.conf has to let in "
        "this host, user and database.",
    ),
    (r"no pg_hba.conf entry", "The server's pg_hba.conf has to let in this host, user and database."),
    (
        r"does not support SSL",
        "Take sslmode out of DATABASE_URL, or turn encryption on at the server (`ssl = on`).",
    ),
    (
        r"certificate|root\.crt",
        "Name the certificate of the authority that the server trusts: ?sslrootcert=FILE behind DATABASE_URL.",
    ),
    (
        r"too many (connections|clients)|remaining connection slots",
        "A deploy needs three: end some (`SELECT pid, application_name, state FROM pg_stat_activity`), or raise the "
        "limit.",
    ),
    (
        r'database "(?P<which>[^"]+)" is not currently accepting',
        "Somebody has closed it; `ALTER DATABASE {which} ALLOW_CONNECTIONS true` opens it.",
    ),
    (
        r"starting up|shutting down|in recovery|is not accepting connections|not yet accepting",
        "It starts, stops or recovers: try again when it answers, or wait for it longer with --wait SECONDS.",
    ),
    (
        r"session is (not )?read-only|server is (not )?in hot standby",
        "None of the hosts in DATABASE_URL is what its target_session_attrs asks for.",
    ),
    (r"could not translate host name", "Correct the host in DATABASE_URL."),
    (r"definition of service .* not found", "Name a service of ~/.pg_service.conf, or of the file in PGSERVICEFILE."),
    (r"file is not a database", "It is another file, or an encrypted one: correct DATABASE_URL."),
    (
        r"database is locked",
        "Another process has it to itself: `fuser {name}` names it; try again when that has ended.",
    ),
    (r"unable to open database file", "It has to be a file that this user may read and write: `ls -l {name}`."),
    (
        r"No such file|Permission denied|Read-only file system|Not a directory",
        "Its folder has to be there, and this user has to be allowed to write in it: `ls -ld {folder}`.",
    ),
)
_WHAT = (
    (
        r"permission denied for schema (?P<which>\S+)",
        "Let its owner run `GRANT USAGE, CREATE ON SCHEMA {which} TO {role}`, or make {role} the owner: "
        "`ALTER DATABASE {name} OWNER TO {role}`.",
    ),
    (
        r"permission denied for database (?P<which>\S+)",
        "What should be there is made in a scratch schema, to compare: `GRANT CREATE ON DATABASE {which} TO {role}` "
        "allows that.",
    ),
    (
        r"permission denied for (table|relation) migrate(history|journal)",
        "To look at them takes `GRANT SELECT ON migratehistory, migratejournal TO {role}`; to deploy, name their owner "
        "in MIGRATION_DATABASE_URL.",
    ),
    (
        r"permission denied for|must be owner of",
        "Another user owns it: name that one in MIGRATION_DATABASE_URL, or hand all that it owns over, as a superuser: "
        "`REASSIGN OWNED BY OWNER TO {role}`.",
    ),
    (
        r'row-level security policy for table "(?P<which>migrate(history|journal))"',
        "Policies of its rows keep the runner out: `ALTER TABLE {which} DISABLE ROW LEVEL SECURITY`.",
    ),
    (
        r"prepared statement .* (already exists|does not exist)",
        "It belongs to its session, and a pooler changes that from one transaction to the next: take PREPARE out of "
        "the file, or name the server itself in MIGRATION_DATABASE_URL.",
    ),
    (
        r"read-only transaction",
        "This is a replica, or set to be read only: name the primary in DATABASE_URL (of several hosts, "
        "?target_session_attrs=read-write finds it), or run `ALTER DATABASE {name} "
        "RESET default_transaction_read_only`.",
    ),
    (
        r"no schema has been selected",
        "Its search_path names no schema that is there: `ALTER ROLE {user} RESET search_path`.",
    ),
    (
        r'constraint "(?P<which>migrate(history|journal))_pkey"',
        "Its numbers have fallen behind its rows, as after a copy of these: `SELECT setval(pg_get_serial_sequence("
        "'{which}', 'id'), max(id)) FROM {which}` sets that right.",
    ),
    (
        r"statement timeout",
        "The limit is the server's or the user's (`SHOW statement_timeout`): allow more with --statement-timeout "
        "SECONDS, or with `ALTER ROLE {user} SET statement_timeout = 0`.",
    ),
    (
        r"due to transaction timeout",
        "The limit is the server's or the user's (`SHOW transaction_timeout`): `ALTER ROLE {user} SET "
        "transaction_timeout = 0` lifts it.",
    ),
    (
        r"lock timeout|deadlock detected",
        "Another session holds it; `SELECT pid, application_name, state, query FROM pg_stat_activity WHERE state <> "
        "'idle'` shows which, and `SELECT gid FROM pg_prepared_xacts` what has none. Try again when it has ended.",
    ),
    (r"No space left|disk is full|disk I/O error", "The disk is full or broken: `df -h` tells; then try again."),
    (r"readonly database", "The file and its folder have to be writable for this user: `ls -ld {folder} {name}`."),
    (
        r"is malformed",
        "The file is damaged: restore a backup, or save what can be read with `sqlite3 {name} .recover`.",
    ),
    (
        r"terminating connection|server closed the connection|connection already closed",
        "The connection was lost: try again.",
    ),
)
_UNKNOWN = "Is it there, and is DATABASE_URL right?"


def on_connecting(reason: str, url: DatabaseUrl) -> str:
    """What to do where there is no connection."""
    if not url.is_sqlite and reason.startswith("No such file"):
        return "No server listens at that socket: is it running, and is the folder in DATABASE_URL right?"
    return _first([*_WHERE, *_WHAT], reason, url) or _UNKNOWN


def on_working(reason: str, url: DatabaseUrl, role_of: RoleOf = lambda url: url.user) -> str:
    """What to do where a statement was refused; nothing where that says nothing about the database."""
    return _first([*_WHAT, *_WHERE[-4:]], reason, url, role_of)


def _first(
    known: Sequence[tuple[str, str]], reason: str, url: DatabaseUrl, role_of: RoleOf = lambda url: url.user
) -> str:
    words = {"user": url.user or "USER", "name": url.name, "folder": url.name.rpartition("/")[0] or "."}
    for pattern, advice in known:
        if match := re.search(pattern, reason):
            role = role_of(url) if "{role}" in advice else ""
            return advice.format(**words | {"role": role or words["user"]} | match.groupdict())
    return ""

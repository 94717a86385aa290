"""What databases say, word for word as they said it, and what a person is told to do about it."""

from __future__ import annotations

import pytest

from service.migrate import advice
from service.url import DatabaseUrl

SERVER = DatabaseUrl("postgresql", "shop", host="db", user="app", password="hunter2")
FILE = DatabaseUrl("sqlite", "/srv/data/shop.db")

PREPARED = (
    "It belongs to its session, and a pooler changes that from one transaction to the next: take PREPARE out of the "
    "file, or name the server itself in MIGRATION_DATABASE_URL."
)
CONNECTING = {
    'database "shop" does not exist': "Make it with `CREATE DATABASE shop`, or correct the name in DATABASE_URL.",
    'role "app" does not exist': (
        "Make it with `CREATE ROLE app LOGIN PASSWORD '…'`, or correct the user in DATABASE_URL."
    ),
    'password authentication failed for user "app"': (
        "Correct the password in DATABASE_URL; if it is right, it has expired: `ALTER ROLE app VALID UNTIL 'infinity'`."
    ),
    "fe_sendauth: no password supplied": "DATABASE_URL has no password: postgresql://app:PASSWORD@HOST/shop.",
    'no pg_hba.conf entry for host "10.0.0.7", user "app", database "shop", no encryption': (
        "If the server wants encryption, put ?sslmode=require behind DATABASE_URL; else its pg_hba.conf has to let in "
        "this host, user and database."
    ),
    'no pg_hba.conf entry for host "10.0.0.7", user "app", database "shop", SSL encryption': (
        "The server's pg_hba.conf has to let in this host, user and database."
    ),
    "session is read-only": "None of the hosts in DATABASE_URL is what its target_session_attrs asks for.",
    "server does not support SSL, but SSL was required": (
        "Take sslmode out of DATABASE_URL, or turn encryption on at the server (`ssl = on`)."
    ),
    "SSL error: certificate verify failed": (
        "Name the certificate of the authority that the server trusts: ?sslrootcert=FILE behind DATABASE_URL."
    ),
    'too many connections for database "shop"': (
        "A deploy needs three: end some (`SELECT pid, application_name, state FROM "
        "pg_stat_activity`), or raise the limit."
    ),
    "sorry, too many clients already": (
        "A deploy needs three: end some (`SELECT pid, application_name, state FROM "
        "pg_stat_activity`), or raise the limit."
    ),
    'database "shop" is not currently accepting connections': (
        "Somebody has closed it; `ALTER DATABASE shop ALLOW_CONNECTIONS true` opens it."
    ),
    "the database system is starting up": (
        "It starts, stops or recovers: try again when it answers, or wait for it longer with --wait SECONDS."
    ),
    "the database system is not accepting connections": (
        "It starts, stops or recovers: try again when it answers, or wait for it longer with --wait SECONDS."
    ),
    'could not translate host name "db" to address: Name or service not known': "Correct the host in DATABASE_URL.",
    "No such file or directory": (
        "No server listens at that socket: is it running, and is the folder in DATABASE_URL right?"
    ),
    'definition of service "shop" not found': (
        "Name a service of ~/.pg_service.conf, or of the file in PGSERVICEFILE."
    ),
    "Connection refused": "Is it there, and is DATABASE_URL right?",
}
CONNECTING_TO_A_FILE = {
    "file is not a database": "It is another file, or an encrypted one: correct DATABASE_URL.",
    "database is locked": (
        "Another process has it to itself: `fuser /srv/data/shop.db` names it; try again when that has ended."
    ),
    "unable to open database file": (
        "It has to be a file that this user may read and write: `ls -l /srv/data/shop.db`."
    ),
    "Permission denied": (
        "Its folder has to be there, and this user has to be allowed to write in it: `ls -ld /srv/data`."
    ),
    "database disk image is malformed": (
        "The file is damaged: restore a backup, or save what can be read with `sqlite3 /srv/data/shop.db .recover`."
    ),
}
WORKING = {
    'duplicate key value violates unique constraint "migratejournal_pkey"': (
        "Its numbers have fallen behind its rows, as after a copy of these: `SELECT setval(pg_get_serial_sequence("
        "'migratejournal', 'id'), max(id)) FROM migratejournal` sets that right."
    ),
    "permission denied for schema public": (
        "Let its owner run `GRANT USAGE, CREATE ON SCHEMA public TO app`, or make app the owner: `ALTER DATABASE shop "
        "OWNER TO app`."
    ),
    "permission denied for database shop": (
        "What should be there is made in a scratch schema, to compare: `GRANT CREATE ON DATABASE "
        "shop TO app` allows that."
    ),
    "permission denied for table migratehistory": (
        "To look at them takes `GRANT SELECT ON migratehistory, migratejournal TO app`; to deploy, name their owner in "
        "MIGRATION_DATABASE_URL."
    ),
    "must be owner of table messages": (
        "Another user owns it: name that one in MIGRATION_DATABASE_URL, or hand all that it owns over, as a superuser: "
        "`REASSIGN OWNED BY OWNER TO app`."
    ),
    "cannot execute CREATE TABLE in a read-only transaction": (
        "This is a replica, or set to be read only: name the primary in DATABASE_URL (of several hosts, "
        "?target_session_attrs=read-write finds it), or run `ALTER DATABASE shop RESET "
        "default_transaction_read_only`."
    ),
    'new row violates row-level security policy for table "migratehistory"': (
        "Policies of its rows keep the runner out: `ALTER TABLE migratehistory DISABLE ROW LEVEL SECURITY`."
    ),
    'prepared statement "S_1" already exists': PREPARED,
    'prepared statement "plan" does not exist': PREPARED,
    "terminating connection due to transaction timeout": (
        "The limit is the server's or the user's (`SHOW transaction_timeout`): `ALTER ROLE app SET transaction_timeout "
        "= 0` lifts it."
    ),
    "no schema has been selected to create in": (
        "Its search_path names no schema that is there: `ALTER ROLE app RESET search_path`."
    ),
    "canceling statement due to statement timeout": (
        "The limit is the server's or the user's (`SHOW statement_timeout`): allow more with "
        "--statement-timeout SECONDS, "
        "or with `ALTER ROLE app SET statement_timeout = 0`."
    ),
    'could not extend file "base/1/2": No space left on device': (
        "The disk is full or broken: `df -h` tells; then try again."
    ),
    "database or disk is full": "The disk is full or broken: `df -h` tells; then try again.",
    "terminating connection due to idle-in-transaction timeout": "The connection was lost: try again.",
    'column "mood" does not exist': "",
    'relation "bots" does not exist': "",
    'duplicate key value violates unique constraint "bots_name"': "",
}


@pytest.mark.parametrize("reason", CONNECTING)
def test_a_server_that_lets_nobody_in(reason: str) -> None:
    assert advice.on_connecting(reason, SERVER) == CONNECTING[reason]


@pytest.mark.parametrize("reason", CONNECTING_TO_A_FILE)
def test_a_file_that_can_not_be_opened(reason: str) -> None:
    assert advice.on_connecting(reason, FILE) == CONNECTING_TO_A_FILE[reason]


@pytest.mark.parametrize("reason", WORKING)
def test_a_statement_that_is_refused(reason: str) -> None:
    assert advice.on_working(reason, SERVER) == WORKING[reason]


def test_a_file_that_nobody_may_write_to() -> None:
    advised = "The file and its folder have to be writable for this user: `ls -ld /srv/data /srv/data/shop.db`."
    assert advice.on_working("attempt to write a readonly database", FILE) == advised


def test_no_advice_names_the_password() -> None:
    said = [advice.on_connecting(reason, SERVER) for reason in CONNECTING]
    assert not [text for text in said if "hunter2" in text]

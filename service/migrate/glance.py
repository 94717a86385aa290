"""A deploy without work, answered after a glance: the driver, the folder, one query.

Every start of the service pays for this one, and most of what the whole way costs is imports. The glance says that
all is well only where the whole way would say so too: where the history has these very files with these checksums,
no more and no less, and no attempt was left running. Of everything else, and in any doubt, it says nothing.
"""

import os
from collections.abc import Mapping, Sequence

from service.environment import MIGRATIONS_DIR, Environment
from service.migrate import contents

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))  # noqa: PTH120
_TAKES = ("--database-url", "--dir")
# No row comes back while an attempt is running, or was killed, or where a rollback may have stopped half-way.
_APPLIED = """
SELECT name, checksum FROM migratehistory WHERE NOT EXISTS (SELECT 1 FROM migratejournal WHERE state = 'running'
OR (action = 'rollback' AND state = 'failed' AND steps > 0)) ORDER BY id
"""

Rows = Sequence[tuple[str, str | None]]


class _Doubt(Exception):
    """Not for a glance."""


def deploy(words: Sequence[str], environ: Mapping[str, str]) -> str:
    """What `migrate` prints for these words where there is nothing to do, else an empty text."""
    try:
        env, options = Environment(environ), _options(words)
        url = options.get("--database-url") or env.migration_url()
        place = options.get("--dir") or os.path.join(_ROOT, env.text("MIGRATIONS_DIR", MIGRATIONS_DIR))  # noqa: PTH118
        label, rows = _sqlite(url) if url.startswith("sqlite:") else _postgresql(url)
        newest = _newest(place, rows)
    except Exception:  # the whole way comes upon it too, and has the words for it
        return ""
    return f"{running(label)}\n{up_to_date(len(rows), newest)}"


def running(database: str) -> str:
    return f"Running database migrations on {database}"


def up_to_date(count: int, newest: str) -> str:
    migrations = "1 migration" if count == 1 else f"{count} migrations"
    return f"Database schema is up to date! {migrations}, the newest is {newest}."


def _options(words: Sequence[str]) -> dict[str, str]:
    """The options of a plain deploy."""
    *given, command = words
    options = dict(zip(given[::2], given[1::2], strict=True))
    if command != "deploy" or not options.keys() <= set(_TAKES):
        raise _Doubt
    return options


def _newest(place: str, rows: Rows) -> str:
    """The newest migration of the folder, where the rows are the same as its files."""
    names = [name for name in contents.names(place) if not name.endswith(".down.sql")]
    if not names or len(names) != len(rows):
        raise _Doubt
    found = {(name.rpartition(".")[0], contents.checksum(f"{place}/{name}")) for name in names}
    numbers = {int(name.partition("_")[0]): name for name, _ in found}
    if found != set(rows) or len(numbers) != len(rows):
        raise _Doubt
    return numbers[max(numbers)]


def _sqlite(url: str) -> tuple[str, Rows]:
    """How the database is called, and its history."""
    path = os.path.join(_ROOT, url.removeprefix("sqlite:///"))  # noqa: PTH118
    # What is to be decoded or tidied first; and connecting to a file that is not there would make it.
    if not url.startswith("sqlite:///") or set("%?") & set(url) or os.path.normpath(path) != path:
        raise _Doubt
    if not os.path.isfile(path):  # noqa: PTH113
        raise _Doubt
    import sqlite3

    connection = sqlite3.connect(path, timeout=0)
    try:
        return f"SQLite database {path}", connection.execute(_APPLIED).fetchall()
    finally:
        connection.close()


def _postgresql(url: str) -> tuple[str, Rows]:
    """As above; only for a URL in which nothing needs to be decoded, and without parameters."""
    scheme, _, rest = url.partition("://")
    credentials, _, place = rest.partition("@")
    (user, _, password), (where, _, name) = credentials.partition(":"), place.partition("/")
    host, _, port = where.partition(":")
    is_plain = scheme in ("postgres", "postgresql") and not set("%?#[]/, ") & set(f"{credentials}{where}{name}")
    if not (is_plain and user and host and name and (port or "5432").isdecimal()) or "@" in place:
        raise _Doubt
    import psycopg2

    connection = psycopg2.connect(
        dbname=name,
        host=host,
        port=port or "5432",
        user=user,
        password=password or None,
        client_encoding="utf8",
        connect_timeout="2",  # the whole way waits longer, and says so
        application_name=f"slipway-migrate-glance {os.uname().nodename}/{os.getpid()}",
    )
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(_APPLIED)
            rows = cursor.fetchall()
    finally:
        connection.close()
    return f'PostgreSQL database "{name}" at {host.lower()}:{port or 5432} as user "{user}"', rows

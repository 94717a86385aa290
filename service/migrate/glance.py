"""A deploy without work, and the status of a database that is as it should be, answered after a glance: the driver,
the folder, one query.

Every start of the service pays for this one, and most of what the whole way costs is imports. The glance says that
all is well only where the whole way would say so too: where the history has these very files with these checksums,
no more and no less, and no attempt was left running. Of everything else, and in any doubt, it says nothing.
"""

import os
from collections.abc import Iterator, Mapping, Sequence

from service.environment import MIGRATIONS_DIR, Environment
from service.migrate import contents, words

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))  # noqa: PTH120
_TAKES = ("--database-url", "--dir")
# No row comes back while an attempt is running, or was killed, or where a rollback may have stopped half-way. What is
# claimed and not done (tables.py) comes as no file is: it counts also where its file is gone.
_APPLIED = """
SELECT name, CASE WHEN duration_ms < 0 THEN '' ELSE checksum END{} FROM migratehistory
WHERE NOT EXISTS (SELECT 1 FROM migratejournal WHERE state = 'running'
OR (action = 'rollback' AND state = 'failed' AND steps > 0)) ORDER BY id
"""
# What a command shows of each migration.
_SHOWN = {"deploy": "", "status": ", migrated_at, duration_ms, origin, waited_ms"}

# In the order of the query; for a deploy only the first two.
Row = tuple[str, str | None, object, int | None, str | None, int | None]


class _Doubt(Exception):
    """Not for a glance."""


def answer(given: Sequence[str], environ: Mapping[str, str], left: list[object] | None = None) -> str:
    """What `migrate` prints for these words where there is nothing to do and nothing unusual to tell, else an empty
    text. `left` takes the open connection to PostgreSQL, if there is one: a deploy goes on with it."""
    asked = plain(given)
    if asked is None:
        return ""
    try:
        env, (command, options) = Environment(environ), asked
        env.flag("RUN_MIGRATIONS", default=False)  # a mistake in it is worth a word also where there is nothing to do
        url = options.get("--database-url") or env.migration_url()
        place = options.get("--dir") or os.path.join(_ROOT, env.text("MIGRATIONS_DIR", MIGRATIONS_DIR))  # noqa: PTH118
        query, opened = _APPLIED.format(_SHOWN[command]), left if command == "deploy" else None
        found: dict[str, str] = {}
        reading = _reading(place, found)
        label, rows = _sqlite(url, query) if url.startswith("sqlite:") else _postgresql(url, query, opened, reading)
        names = _same(found, reading, rows)
        if command == "status":
            return _status(label, names, rows)
    except Exception:  # the whole way comes upon it too, and has the words for it
        return ""
    if left:
        del left[:]  # what nobody holds is closed
    return f"{words.running(label)}\n{words.nothing_to_do(len(names), names[-1])}"


def _status(label: str, names: Sequence[str], rows: Sequence[Row]) -> str:
    shown = {
        name: words.migration(name, "applied", words.moment(applied_at), duration_ms, origin, waited_ms)
        for name, _, applied_at, duration_ms, origin, waited_ms in rows
    }
    return "\n".join([label, "", *(shown[name] for name in names), "", words.UP_TO_DATE])


def plain(given: Sequence[str]) -> tuple[str, dict[str, str]] | None:
    """The command, where it is one that can be answered so, and the options around it; None where there is more."""
    at = next((at for at in range(0, len(given), 2) if given[at] in _SHOWN), None)
    if at is None:
        return None
    pairs = [*given[:at], *given[at + 1 :]]
    options, values = pairs[::2], pairs[1::2]
    is_plain = len(options) == len(values) and set(options) <= set(_TAKES)
    if not is_plain or any(value.startswith("-") for value in values):
        return None
    return given[at], dict(zip(options, values, strict=True))


def _reading(place: str, found: dict[str, str]) -> Iterator[None]:
    """Fill `found` with the folder's migrations in order: at first their names, then the checksum of one at a time."""
    files = [name for name in contents.names(place) if not name.endswith(".down.sql")]
    numbered = {int(file.partition("_")[0]): file for file in files}
    if len(numbered) != len(files):
        raise _Doubt
    files = [numbered[number] for number in sorted(numbered)]
    found.update((file.rpartition(".")[0], "") for file in files)
    yield
    for name, checksum in zip(found, contents.checksums(place, files), strict=True):
        found[name] = checksum
        yield


def _same(found: dict[str, str], reading: Iterator[None], rows: Sequence[Row]) -> list[str]:
    """The names of the migrations in order, where the rows are the same as the files of the folder."""
    next(reading, None)
    if not found or len(found) != len(rows):  # said before a thousand files are read for nothing
        raise _Doubt
    for _ in reading:
        pass
    if found != {row[0]: row[1] for row in rows}:
        raise _Doubt
    return list(found)


def _sqlite(url: str, query: str) -> tuple[str, Sequence[Row]]:
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
        return f"SQLite database {path}", connection.execute(query).fetchall()
    finally:
        connection.close()


def _postgresql(url: str, query: str, left: list[object] | None, reading: Iterator[None]) -> tuple[str, Sequence[Row]]:
    """As above; only for a URL in which nothing needs to be decoded, and without parameters. `reading` goes on while
    the server lets wait for itself."""
    scheme, _, rest = url.partition("://")
    credentials, _, place = rest.partition("@")
    (user, _, password), (where, _, name) = credentials.partition(":"), place.partition("/")
    host, _, port = where.partition(":")
    is_plain = scheme in ("postgres", "postgresql") and not set("%?#[]/, ") & set(f"{credentials}{where}{name}")
    if not (is_plain and user and host and name and (port or "5432").isdecimal()) or "@" in place:
        raise _Doubt
    from service.migrate import driver

    driver.bring_in()
    import psycopg2

    # A deploy that goes on with it has to be known as one (heal.py).
    kind = "glance" if left is None else "deploy"
    with driver.Meanwhile(reading):
        connection = psycopg2.connect(
            dbname=name,
            host=host,
            port=port or "5432",
            user=user,
            password=password or None,
            client_encoding="utf8",
            application_name=f"slipway-migrate-{kind} {os.uname().nodename}/{os.getpid()}",
        )
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(query)
                rows = cursor.fetchall()
        finally:
            if left is None:
                connection.close()
            else:
                left.append(connection)
    return f'PostgreSQL database "{name}" at {host.lower()}:{port or 5432} as user "{user}"', rows

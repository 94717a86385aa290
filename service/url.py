"""A database URL, taken apart. Pure and light, so that the migration runner's no-op path can afford it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

ROOT = Path(__file__).resolve().parents[1]
MEMORY = ":memory:"

_POSTGRESQL_SCHEMES = {"postgres", "postgresql", "postgresql+psycopg2"}
# Prisma's own parameters, which libpq would refuse; they say nothing about where the database is.
_PRISMA_ONLY = {"pgbouncer", "connection_limit", "pool_timeout", "statement_cache_size"}
# A name, or an address of IPv6 in brackets; and a port of its own.
_PLACE = re.compile(r"(?:\[(?P<address>[^\[\]]+)\]|(?P<name>[^\[\]:]+))(?::(?P<port>\d{1,5}))?")


class BadUrl(ValueError):
    """The text is not a URL of a database that Slipway can use. The message never holds the URL."""


class DatabaseUrl(NamedTuple):
    """Where a database is. For SQLite, `name` is an absolute file path or `:memory:`."""

    engine: Literal["sqlite", "postgresql"]
    name: str
    host: str = ""
    port: int = 5432
    user: str = ""
    password: str = ""
    options: tuple[tuple[str, str], ...] = ()  # libpq takes passwords here too

    @property
    def is_sqlite(self) -> bool:
        return self.engine == "sqlite"

    def __repr__(self) -> str:
        return f"<{self}>"

    def __str__(self) -> str:
        """For people and logs: names the database, never the password."""
        if self.is_sqlite:
            return f"SQLite database {self.name}"
        given = self.libpq()
        hosts = given.get("host", "the local socket").split(",")
        ports = given.get("port", str(self.port)).split(",")
        where = " or ".join(f"{host}:{ports[min(number, len(ports) - 1)]}" for number, host in enumerate(hosts))
        return f'PostgreSQL database "{given["dbname"]}" at {where} as user "{given.get("user", "(default)")}"'

    def libpq(self) -> dict[str, str]:
        """Keyword arguments for psycopg2.connect; parameters of the URL's query win, as in libpq."""
        given = {
            "dbname": self.name,
            "host": self.host,
            "port": str(self.port) if self.host else "",
            "user": self.user,
            "password": self.password,
            "client_encoding": "utf8",  # a database in SQL_ASCII would otherwise refuse every letter but ASCII's
        }
        return {key: value for key, value in (given | dict(self.options)).items() if value}


def parse(text: str) -> DatabaseUrl:
    """Take apart `sqlite:///path`, `file:./path` (both relative to the project's root), `postgres://…` or
    `postgresql://one:5432,two:5432/name?target_session_attrs=…`; user, password and name may be percent-encoded.
    Raises BadUrl."""
    scheme, separator, rest = text.strip().partition(":")
    if scheme in ("sqlite", "file") and separator:
        return DatabaseUrl("sqlite", _sqlite_path(scheme, rest))
    if scheme in _POSTGRESQL_SCHEMES and rest.startswith("//"):
        return _postgresql(text.strip())
    raise BadUrl("it must start with sqlite:///, file:, postgres:// or postgresql://")


def _sqlite_path(scheme: str, rest: str) -> str:
    path = unquote(rest.partition("?")[0])
    if scheme == "sqlite":
        if path not in ("", "//") and not path.startswith("///"):
            raise BadUrl("an SQLite URL has three slashes before a relative path, four before an absolute one")
        path = path[3:]
    elif path.startswith("//"):
        path = path[2:]
    if scheme == "sqlite" and path in ("", MEMORY):
        return MEMORY
    if not path:
        raise BadUrl("it names no file")
    return str(ROOT / path)


def _postgresql(text: str) -> DatabaseUrl:
    try:
        parts = urlsplit(text)
        place = parts.netloc.rpartition("@")[2]
        port = (0 if "," in place else parts.port) or 5432
    except ValueError:
        raise BadUrl("its host or port can't be read; percent-encode special characters in the password") from None
    path = parts.path.lstrip("/")
    if "/" in path or "@" in path:  # a slash in the password: what follows it is not a name to be shown
        raise BadUrl("the name after its host can't be read; percent-encode special characters in the password")
    name = unquote(path)
    if not name:
        raise BadUrl("it names no database: postgresql://user:password@host:5432/NAME")
    several = _several(place)
    query = several | dict(parse_qsl(parts.query))
    schema = query.pop("schema", None)
    if schema and schema != "public":
        query["options"] = f"{query.get('options', '')} -csearch_path={schema}".strip()
    return DatabaseUrl(
        "postgresql",
        name,
        host="" if several else parts.hostname or query.get("host", ""),
        port=port,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        options=tuple((key, value) for key, value in query.items() if key not in _PRISMA_ONLY),
    )


def _several(place: str) -> dict[str, str]:
    """The parameters for more hosts than one, which libpq tries in turn; nothing where there is no comma."""
    if "," not in place:
        return {}
    found = [_PLACE.fullmatch(each) for each in place.split(",")]
    if None in found:
        raise BadUrl("one of its hosts can't be read; several are written host1:5432,host2:5432")
    hosts = [match["address"] or match["name"] for match in found if match]
    ports = [match["port"] or "5432" for match in found if match]
    return {"host": ",".join(hosts), "port": ",".join(ports)}

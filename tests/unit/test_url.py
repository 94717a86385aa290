"""Database URLs, taken apart."""

from __future__ import annotations

import pytest

from service.url import ROOT, BadUrl, parse


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("sqlite:///data/slipway.db", str(ROOT / "data/slipway.db")),
        ("sqlite:////var/lib/slipway.db", "/var/lib/slipway.db"),
        ("file:./data/slipway.db", str(ROOT / "data/slipway.db")),
        ("file:data/slipway.db", str(ROOT / "data/slipway.db")),
        ("file:/var/lib/slipway.db", "/var/lib/slipway.db"),
        ("file:///var/lib/slipway.db", "/var/lib/slipway.db"),
        ("sqlite:///data/with%20space.db?mode=rw", str(ROOT / "data/with space.db")),
        ("sqlite://", ":memory:"),
        ("sqlite:///:memory:", ":memory:"),
    ],
)
def test_an_sqlite_url_names_a_file_relative_to_the_project(text: str, path: str) -> None:
    assert parse(text).name == path


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_a_postgresql_url_is_decoded(scheme: str) -> None:
    url = parse(f"{scheme}://ann%40home:p%40ss%2Fword@db.internal:6432/my%20bot?sslmode=require")
    assert url.libpq() == {
        "dbname": "my bot",
        "host": "db.internal",
        "port": "6432",
        "user": "ann@home",
        "password": "p@ss/word",
        "sslmode": "require",
        "client_encoding": "utf8",
    }


def test_the_default_port_is_postgresqls_own() -> None:
    assert parse("postgres://bot@db/bot").port == 5432


def test_a_socket_directory_may_stand_in_the_query() -> None:
    assert parse("postgresql:///bot?host=/run/postgresql").libpq()["host"] == "/run/postgresql"


def test_several_hosts_are_left_to_libpq_each_with_its_port() -> None:
    url = parse("postgresql://bot:p@one:6432,two,[::1]:7432/bot?target_session_attrs=read-write")
    assert url.libpq() == {
        "dbname": "bot",
        "host": "one,two,::1",
        "port": "6432,5432,7432",
        "user": "bot",
        "password": "p",
        "target_session_attrs": "read-write",
        "client_encoding": "utf8",
    }
    assert str(url) == 'PostgreSQL database "bot" at one:6432 or two:5432 or ::1:7432 as user "bot"'


def test_several_hosts_may_stand_in_the_query_with_one_port_for_all() -> None:
    url = parse("postgresql://bot@/bot?host=one,two&port=6432")
    assert str(url) == 'PostgreSQL database "bot" at one:6432 or two:6432 as user "bot"'


def test_parameters_that_only_prisma_knows_are_left_out_and_its_schema_is_understood() -> None:
    url = parse("postgresql://bot@db/bot?pgbouncer=true&connection_limit=1&schema=chat")
    assert dict(url.options) == {"options": "-csearch_path=chat"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mysql://bot@db/bot", "it must start with"),
        ("not a url", "it must start with"),
        ("", "it must start with"),
        ("postgresql:bot", "it must start with"),
        ("sqlite://data/slipway.db", "three slashes"),
        ("sqlite:data.db", "three slashes"),
        ("file:", "it names no file"),
        ("postgresql://bot@db", "it names no database"),
        ("postgresql://bot@db:port/bot", "host or port"),
        ("postgresql://bot:a[b@db/bot", "host or port"),
        ("postgresql://bot@one,:5432/bot", "several are written host1:5432,host2:5432"),
        ("postgresql://bot@one:5432,two:port/bot", "several are written host1:5432,host2:5432"),
    ],
)
def test_what_can_not_be_used_is_explained_in_words(text: str, words: str) -> None:
    with pytest.raises(BadUrl, match=words):
        parse(text)


def test_a_password_is_never_shown() -> None:
    url = parse("postgresql://bot:hunter2@db:5432/bot?sslpassword=hunter3")
    assert "hunter" not in f"{url} {url!r}"
    assert str(url) == 'PostgreSQL database "bot" at db:5432 as user "bot"'


def test_what_stands_in_the_parameters_is_what_people_read() -> None:
    url = parse("postgresql:///bot?host=/run/postgresql&port=6432&user=ann")
    assert str(url) == 'PostgreSQL database "bot" at /run/postgresql:6432 as user "ann"'


@pytest.mark.parametrize("text", ["postgresql://bot:hunter2@db:nonsense/bot", "postgresql://bot:12/hunter2@db/bot"])
def test_a_refused_url_is_not_repeated_since_it_may_hold_a_password(text: str) -> None:
    with pytest.raises(BadUrl, match="percent-encode") as refusal:
        parse(text)
    assert "hunter2" not in str(refusal.value)

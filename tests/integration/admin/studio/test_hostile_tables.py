"""Tables as nobody would make them: names with quotes, keys of several columns and of text, types of every kind."""

from __future__ import annotations

import re

import pytest

from service.url import ROOT, DatabaseUrl
from tests.support.migrations import rows as ask
from tests.support.panel import Browser, panel, signed_in

# A quote of each kind, a per cent sign that a driver takes for a parameter, SQL, HTML, a slash and a space.
TABLE = """it's "100%s" <b>/-- ;drop"""
COLUMN = """a"b%(c)s' <i>"""
PLACE = "it%27s%20%22100%25s%22%20%3Cb%3E/--%20;drop"


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@pytest.fixture
def browser(service_database: DatabaseUrl) -> Browser:
    return signed_in(panel(service_database, ROOT / "migrations"))


@pytest.fixture
def odd(service_database: DatabaseUrl) -> str:
    table, column = quoted(TABLE), quoted(COLUMN)
    ask(service_database, f'CREATE TABLE {table} (id INTEGER PRIMARY KEY, {column} VARCHAR(40), "select" INTEGER)')
    ask(service_database, f"INSERT INTO {table} VALUES (1, '<script>', 5)")
    return table


def test_a_table_of_any_name_can_be_read_written_and_emptied(
    browser: Browser, odd: str, service_database: DatabaseUrl
) -> None:
    assert "&lt;b&gt;/-- ;drop" in browser.read("/studio/")
    for path in ("rows", "table", "csv", "new"):
        assert browser.get(f"/studio/{path}/{PLACE}").status_code == 200, path
    query = {"column": COLUMN, "op": "contains", "value": "%"}
    assert "No row like this" in browser.get(f"/studio/rows/{PLACE}", query_string=query).text
    query = {"column": COLUMN, "op": "starts", "value": "<scr", "sort": COLUMN, "dir": "desc"}
    page = browser.get(f"/studio/rows/{PLACE}", query_string=query).text
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    typed = {f"value:{COLUMN}": "'; DROP TABLE users; --", "value:select": "6"}
    assert browser.submit(f"/studio/edit/{PLACE}/1", **typed).status_code == 303
    assert ask(service_database, f"SELECT * FROM {odd}") == [(1, "'; DROP TABLE users; --", 6)]
    assert browser.submit(f"/studio/new/{PLACE}", **typed | {"value:id": "2"}).status_code == 303
    assert browser.submit(f"/studio/delete/{PLACE}/1").status_code == 303
    assert ask(service_database, f"SELECT id FROM {odd}") == [(2,)]


@pytest.mark.parametrize(
    "name", ["users; DROP TABLE users", 'users"', "../users", "information_schema.tables", "USERS"]
)
def test_a_name_that_is_no_table_reaches_no_statement(browser: Browser, name: str) -> None:
    response = browser.client.get(f"/studio/rows/{name.replace(';', '%3B')}")
    assert response.status_code == 404


def test_names_in_the_query_are_looked_up_too(browser: Browser) -> None:
    injected = "id; DROP TABLE users"
    assert browser.get("/studio/rows/users", query_string={"sort": injected}).status_code == 200
    assert browser.get("/studio/rows/users", query_string={"column": injected, "op": "is"}).status_code == 400
    assert browser.get("/studio/rows/users", query_string={"after": "1' OR '1'='1"}).status_code == 200


def test_keys_of_text_and_of_two_columns_have_addresses(browser: Browser, service_database: DatabaseUrl) -> None:
    ask(
        service_database,
        "CREATE TABLE berths (pier VARCHAR(20), number INTEGER, note TEXT, PRIMARY KEY (pier, number))",
    )
    for pier in ("a/b", "c,d", "é %", "", "%"):
        ask(service_database, "INSERT INTO berths VALUES (?, 1, 'free')", [pier])
    links = re.findall(r'<th scope="row"[^>]*><a href="([^"]+)"', browser.read("/studio/rows/berths?sort=pier"))
    assert len(links) == 5
    for number, link in enumerate(links):
        edit = link.replace("/row/", "/edit/")
        assert browser.submit(edit, **{"value:note": f"taken {number}"}).status_code == 303, link
    notes = {row[0] for row in ask(service_database, "SELECT note FROM berths")}
    assert notes == {f"taken {number}" for number in range(5)}


def test_values_of_kinds_that_can_not_be_typed_are_shown_and_left(
    browser: Browser, service_database: DatabaseUrl
) -> None:
    if service_database.is_sqlite:
        ask(service_database, "CREATE TABLE cargo (id INTEGER PRIMARY KEY, raw BLOB, weight REAL, anything, note TEXT)")
        ask(service_database, "INSERT INTO cargo VALUES (1, x'ff00', 1.5, x'fe', x'fd'), (2, 7, 'heavy', 'text', NULL)")
    else:
        ask(
            service_database,
            "CREATE TABLE cargo (id INTEGER PRIMARY KEY, raw BYTEA, weight NUMERIC(8,2), anything TEXT[], note TEXT)",
        )
        ask(service_database, "INSERT INTO cargo VALUES (1, '\\xff00', 1.5, '{a,b}', 'x'), (2, NULL, NULL, NULL, NULL)")
    for path in ("rows/cargo", "rows/cargo?sort=weight&dir=desc", "row/cargo/1", "row/cargo/2", "csv/cargo"):
        assert browser.get(f"/studio/{path}").status_code == 200, path
    looked_at = (
        "SELECT hex(raw), hex(anything) FROM cargo" if service_database.is_sqlite else "SELECT raw::text FROM cargo"
    )
    before = ask(service_database, looked_at)
    assert "can only be looked at here" in browser.read("/studio/edit/cargo/1")
    typed = {"value:raw": "zz", "value:anything": "zz", "value:weight": "2.25"}
    assert browser.submit("/studio/edit/cargo/1", **typed).status_code == 303
    assert sorted(map(str, ask(service_database, looked_at))) == sorted(map(str, before))
    assert float(ask(service_database, "SELECT weight FROM cargo WHERE id = 1")[0][0]) == 2.25


def test_a_table_without_a_key_shows_its_first_rows_only(browser: Browser, service_database: DatabaseUrl) -> None:
    ask(service_database, "CREATE TABLE tides (height INTEGER)")
    ask(service_database, f"INSERT INTO tides VALUES {', '.join(f'({height})' for height in range(60))}")
    page = browser.read("/studio/rows/tides")
    assert "These are the first 50: without a primary key there is no next page." in page
    assert "its rows can&#39;t be told apart" in page
    assert browser.get("/studio/new/tides").status_code == 403
    assert browser.get("/studio/row/tides/1").status_code == 404
    assert browser.get("/studio/csv/tides").status_code == 404

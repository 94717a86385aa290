"""What holds for every page, also for those that are still to be written."""

from __future__ import annotations

import logging

import pytest
from flask import Flask

from service.admin.access.bodies import DRAFT_LIMIT, LIMIT
from service.admin.access.security import POLICY
from service.admin.parts.errors import TEXTS
from service.database import proxy
from service.models import VIEWER
from service.url import ROOT, DatabaseUrl
from tests.support.panel import ONE_ENGINE, Browser, add_user, panel, signed_in
from tests.support.postgresql import Server

NEWEST = max(path.stem for path in (ROOT / "migrations").glob("[0-9]*.py"))
LATER = "900_of_a_later_release"


@pytest.fixture
def app(service_database: DatabaseUrl) -> Flask:
    return panel(service_database, ROOT / "migrations")


@ONE_ENGINE
def test_every_answer_carries_the_security_headers(app: Flask) -> None:
    browser = signed_in(app)
    for path in ("/chatbots/", "/nope", "/healthz", "/static/panel.css", "/bootstrap/static/css/bootstrap.min.css"):
        headers = browser.get(path).headers
        assert headers.getlist("Content-Security-Policy") == [POLICY], path
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
    assert "unsafe" not in POLICY
    assert browser.get("/chatbots/").headers["Cache-Control"] == "no-store"


@ONE_ENGINE
def test_what_needs_no_database_opens_no_connection(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy.obj.close()
    opened = []
    connect = proxy.obj.connect

    def counted() -> None:
        opened.append(1)
        connect()

    monkeypatch.setattr(proxy.obj, "connect", counted)
    browser = Browser(app)
    for path in ("/healthz", "/static/panel.css", "/nope"):
        browser.get(path)
    assert opened == []
    browser.get("/sign-in")
    assert opened == [1]
    assert proxy.obj.is_closed(), "the connection ends with the request"


@ONE_ENGINE
def test_the_menu_offers_a_viewer_nothing_that_they_may_not_use(app: Flask) -> None:
    add_user("vera@example.org", role=VIEWER)
    assert "Talk" in signed_in(app).read("/chatbots/")
    menu = signed_in(app, "vera@example.org").read("/chatbots/").partition("</nav>")[0]
    assert "Conversations" in menu
    assert "Talk" not in menu


@ONE_ENGINE
def test_an_unknown_address_says_so_in_the_same_look(app: Flask) -> None:
    for browser in (Browser(app), signed_in(app)):
        response = browser.get("/nope")
        assert response.status_code == 404
        assert TEXTS[404][0] in response.text


@ONE_ENGINE
@pytest.mark.parametrize(
    ("path", "field", "limit"),
    [
        ("/chatbots/new", "system_prompt", DRAFT_LIMIT),
        ("/personas/new", "instructions", LIMIT),
        ("/sign-in", "kept", DRAFT_LIMIT),
    ],
)
def test_a_body_that_is_too_large_is_refused_before_it_is_read(app: Flask, path: str, field: str, limit: int) -> None:
    browser = signed_in(app)
    assert browser.submit(path, **{field: "x" * (limit - 2_000)}).status_code != 413
    response = browser.submit(path, **{field: "x" * (limit + 1)})
    assert response.status_code == 413
    assert TEXTS[413][0] in response.text


@ONE_ENGINE
def test_a_mistake_of_ours_is_a_page_that_keeps_the_details_in_the_log(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> str:
        raise ZeroDivisionError("the secret of the machine room")

    app.view_functions["migrations.index"] = broken
    response = signed_in(app).get("/migrations/")
    assert response.status_code == 500
    assert TEXTS[500][0] in response.text
    assert "machine room" not in response.text
    assert "machine room" in caplog.text


@pytest.mark.parametrize("service_database", ["postgresql"], indirect=True)
def test_without_its_database_the_panel_says_so_and_recovers_by_itself(
    app: Flask, postgresql_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    browser = signed_in(app)
    proxy.obj.close()
    postgresql_server.stop()
    with caplog.at_level(logging.ERROR):
        response = browser.get("/chatbots/")
    assert response.status_code == 503
    assert TEXTS[503][0] in response.text
    assert "GET /chatbots/: the database failed with OperationalError" in caplog.text
    assert browser.get("/healthz").json == {"status": "ok"}
    ready = browser.get("/readyz")
    assert (ready.status_code, ready.json) == (
        503,
        {"status": "not ready", "reason": "The database can't be reached."},
    )
    postgresql_server.start()
    assert browser.get("/chatbots/").status_code == 200
    assert browser.get("/readyz").status_code == 200


def test_the_panel_is_ready_when_the_schema_is_current(app: Flask) -> None:
    response = Browser(app).get("/readyz")
    assert (response.status_code, response.json) == (200, {"status": "ready", "reason": "The schema is current."})


def test_the_panel_is_not_ready_on_an_empty_database_and_names_what_is_missing(database_url: DatabaseUrl) -> None:
    response = Browser(panel(database_url, ROOT / "migrations")).get("/readyz")
    assert response.status_code == 503
    assert response.json
    assert response.json["pending"][0] == "001_initial"
    assert "001_initial" in response.json["reason"]


def test_who_asks_all_night_fills_no_log(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "service.admin.health")
    visitor, newest = Browser(app), "WHERE id = (SELECT max(id) FROM migratehistory)"
    assert [visitor.get("/readyz").status_code for _ in range(2)] == [200, 200]
    assert caplog.messages == []
    proxy.obj.execute_sql(f"UPDATE migratehistory SET name = '{LATER}' {newest}")
    assert [visitor.get("/readyz").status_code for _ in range(3)] == [503, 503, 503]
    proxy.obj.execute_sql(f"UPDATE migratehistory SET name = '{NEWEST}' {newest}")
    assert [visitor.get("/readyz").status_code for _ in range(2)] == [200, 200]
    reason, end = caplog.messages
    assert reason.startswith(f"Not ready: {NEWEST} is not applied, ")
    assert end == "Ready again"


def test_readiness_tells_neither_host_nor_user_nor_password() -> None:
    url = DatabaseUrl("postgresql", "nowhere", host="127.0.0.1", port=1, user="somebody")
    response = Browser(panel(url._replace(password="hush"), ROOT / "migrations")).get("/readyz")
    assert response.status_code == 503
    for secret in ("127.0.0.1", "somebody", "hush", "nowhere"):
        assert secret not in response.text


@ONE_ENGINE
def test_a_missing_migrations_folder_closes_readiness(service_database: DatabaseUrl) -> None:
    response = Browser(panel(service_database, "/nowhere/migrations")).get("/readyz")
    assert response.status_code == 503
    assert response.json
    assert "/nowhere/migrations" in response.json["reason"]

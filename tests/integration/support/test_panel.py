"""The panel that tests share: whatever one of them did to it, the next finds it as `create_app` made it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from service.config import Config
from service.database import proxy
from service.url import DatabaseUrl
from tests.support.panel import Browser, panel, signed_in

CHANGES: dict[str, Callable[[Flask], object]] = {
    "a setting": lambda app: app.config.update(WTF_CSRF_ENABLED=False),
    "a page": lambda app: app.view_functions.update({"health.healthz": lambda: "changed"}),
    "what stands in front": lambda app: setattr(app, "wsgi_app", str),
    "the API in it": lambda app: app.extensions["slipway_api"].config.update(MAX_CONTENT_LENGTH=1),
}


@pytest.fixture
def app(sqlite_url: DatabaseUrl) -> Flask:
    return panel(sqlite_url)


def test_one_panel_serves_each_database_in_turn(app: Flask, tmp_path: Path) -> None:
    other = DatabaseUrl("sqlite", str(tmp_path / "other.db"))
    assert panel(other, tmp_path) is app
    for each in (app, app.extensions["slipway_api"]):
        config: Config = each.config["SLIPWAY"]
        assert (config.database_url, config.migrations_dir) == (other, tmp_path)
    assert proxy.obj.database == other.name


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_panel_that_was_changed_is_not_handed_on(
    app: Flask, sqlite_url: DatabaseUrl, change: Callable[[Flask], object]
) -> None:
    change(app)
    fresh = panel(sqlite_url)
    assert fresh is not app
    assert Browser(fresh).get("/healthz").text != "changed"
    assert panel(sqlite_url) is fresh


def test_each_set_of_settings_has_a_panel_of_its_own(app: Flask, sqlite_url: DatabaseUrl) -> None:
    strict = panel(sqlite_url, API_RATE_LIMIT="3")
    assert strict is not app
    assert panel(sqlite_url, API_RATE_LIMIT="3") is strict
    assert panel(sqlite_url) is app


def test_each_start_without_a_key_is_another_panel(sqlite_url: DatabaseUrl) -> None:
    assert panel(sqlite_url, SECRET_KEY="").secret_key != panel(sqlite_url, SECRET_KEY="").secret_key


def test_places_for_streams_that_nobody_left_are_free_again(app: Flask, sqlite_url: DatabaseUrl) -> None:
    slots = app.extensions["live"]
    while slots.acquire(blocking=False):
        pass
    assert panel(sqlite_url) is app
    assert app.extensions["live"].acquire(blocking=False)


@pytest.mark.parametrize("attempt", [1, 2])
def test_nobody_is_signed_in_from_the_test_before(service_database: DatabaseUrl, attempt: int) -> None:
    app = panel(service_database)
    assert Browser(app).get("/").status_code == 303
    assert signed_in(app).get("/").status_code == 200

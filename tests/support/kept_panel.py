"""One application for test after test: to compile its addresses and templates takes as long as most tests do."""

from __future__ import annotations

from pathlib import Path

from flask import Flask

from service.admin import create_app
from service.admin.conversations import live
from service.config import Config
from service.database import bind
from service.url import MEMORY, DatabaseUrl

_NOWHERE = DatabaseUrl("sqlite", MEMORY)
_kept: dict[str, tuple[Flask, object]] = {}


def kept_panel(config: Config) -> Flask:
    """The panel with these settings, as `create_app` makes it, bound to their database."""
    settings = _lasting(config)
    app, as_given = _kept.get(settings, (None, None))
    if app is None or _state(app) != as_given:
        app = create_app(config)
    bind(config.database_url, application="slipway-panel")
    live.init_app(app)  # streams that an earlier test left open hold none of the places
    for each in (app, _api(app)):
        each.config["SLIPWAY"] = config
    _kept[settings] = (app, _state(app))
    return app


def _lasting(config: Config) -> str:
    """The settings that an application is made for: databases and migrations are looked up at each request."""
    return repr(tuple(config._replace(database_url=_NOWHERE, migration_database_url=_NOWHERE, migrations_dir=Path())))


def _api(app: Flask) -> Flask:
    api: Flask = app.extensions["slipway_api"]
    return api


def _state(app: Flask) -> object:
    """What a test may change of an application: hooks and addresses Flask itself refuses after the first answer."""
    return [(dict(a.config), dict(a.extensions), dict(a.view_functions), a.wsgi_app) for a in (app, _api(app))]

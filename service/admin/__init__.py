"""The admin panel: an application factory, and a blueprint a page."""

from __future__ import annotations

from flask import Flask
from flask_bootstrap import Bootstrap5

from service import api
from service.admin import chatbots, health, people, studio, webhook
from service.admin.access import security, session, welcome
from service.admin.conversations import listing as conversations
from service.admin.conversations import live, talk
from service.admin.desk import dashboard, personas, queue, toolcalls
from service.admin.parts import assets, compression, display, errors, menu, scope
from service.admin.people import account, audit_log, tokens
from service.admin.schema import migrations
from service.config import Config
from service.database import bind

PAGES = (
    dashboard.pages,
    session.pages,
    chatbots.pages,
    conversations.pages,
    talk.pages,
    personas.pages,
    toolcalls.pages,
    queue.pages,
    migrations.pages,
    tokens.pages,
    people.pages,
    audit_log.pages,
    account.pages,
    welcome.pages,
    studio.pages,
    health.pages,
)


def create_app(config: Config | None = None) -> Flask:
    """The panel as a WSGI application; without a config, its settings come from the environment."""
    config = config or Config.from_env()
    bind(config.database_url, application="slipway-panel")
    app = Flask(__name__)
    app.config.from_mapping(security.settings(config), SLIPWAY=config)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's own provider has it
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    Bootstrap5(app)
    # Before what stands in front of every page, so that proxies are believed there as far as here.
    api.mount(app, config)
    # Their order is the order in which a request passes them.
    for room in (compression, assets, scope, security, errors, display, menu, live, webhook):
        room.init_app(app)
    for pages in PAGES:
        app.register_blueprint(pages)
    return app

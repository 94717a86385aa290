"""The HTTP API: what the panel can do, for programs, with tokens instead of sessions."""

from __future__ import annotations

import functools

from flask import Flask, Response
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from service.api import (
    chat,
    chatbots,
    conversations,
    deadletters,
    dispatch,
    exports,
    guard,
    manual,
    metrics,
    openapi,
    personas,
    problems,
    streams,
    toolcalls,
    versions,
)
from service.config import Config

GROUPS = (
    chat.group,
    streams.group,
    chatbots.group,
    versions.group,
    conversations.group,
    exports.group,
    personas.group,
    toolcalls.group,
    deadletters.group,
    metrics.group,
    manual.group,
)
PREFIX = "/api"
BODY_LIMIT = 1024 * 1024

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@functools.cache  # the same for every application of a process
def document() -> openapi.Document:
    return openapi.describe(GROUPS, PREFIX)


def create_app(config: Config) -> Flask:
    """An application of its own, so that nothing of the panel reaches in: no cookie, no form token, no sign-in page."""
    app = Flask(__name__)
    app.config.from_mapping(SLIPWAY=config, MAX_CONTENT_LENGTH=BODY_LIMIT, DOCUMENT=document())
    # An address that is almost right is a mistake to be told of, not one to be sent elsewhere for.
    app.url_map.merge_slashes = False
    problems.init_app(app)
    manual.init_app(app)
    dispatch.register(app, GROUPS)
    app.after_request(guard.add_headers)
    app.after_request(_add_headers)
    return app


def mount(panel: Flask, config: Config) -> None:
    """Serve the API under /api of the panel."""
    app = create_app(config)
    panel.extensions["slipway_api"] = app
    panel.wsgi_app = DispatcherMiddleware(panel.wsgi_app, {PREFIX: app})  # type: ignore[method-assign]


def _add_headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response

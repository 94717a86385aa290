"""Whether a cookie may travel over plain HTTP: never where the browser has reached the panel over HTTPS."""

from __future__ import annotations

from flask import Flask, request
from flask.sessions import SecureCookieSessionInterface

from service.config import Config


def init_app(app: Flask) -> None:
    app.session_interface = _Sessions()


def are_secure(app: Flask) -> bool:
    """As SECURE_COOKIES says; by itself, it looks at the request, which a trusted proxy may speak for."""
    config: Config = app.config["SLIPWAY"]
    return request.is_secure if config.secure_cookies is None else config.secure_cookies


class _Sessions(SecureCookieSessionInterface):
    def get_cookie_secure(self, app: Flask) -> bool:
        return are_secure(app)

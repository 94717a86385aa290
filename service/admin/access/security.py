"""What stands between a browser and a page: cookies, headers, CSRF, and the rule that a page needs a sign-in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Flask, Response, abort, current_app, g, redirect, render_template, request, url_for
from flask_login import LoginManager, current_user
from flask_wtf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response as AnyResponse

from service.admin.access import accounts, bodies, cookies, permissions
from service.admin.access.forms import SignInForm
from service.admin.parts import assets, kept
from service.config import Config

SIGN_IN = frozenset({"session.start", "session.finish"})
# Everything else needs a sign-in, so that a new page is private until somebody says otherwise here.
PUBLIC = frozenset(
    {
        "session.sign_in",
        "session.start",
        "session.code",
        "session.finish",
        "welcome.show",
        "welcome.accept",
        "welcome.new_password",
        "welcome.renew",
        "static",
        "bootstrap.static",
        "health.healthz",
        "health.readyz",
        "webhook.receive",
    }
)

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # Bootstrap's stylesheet draws its form icons with data URLs
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
# Once over HTTPS, a browser asks for nothing else for a year. Not for subdomains: those are not ours to speak for.
TRANSPORT = "max-age=31536000"


def settings(config: Config) -> dict[str, Any]:
    """Flask's own settings. The CSRF token lives as long as the session, so a form left open overnight still works."""
    return {
        "SECRET_KEY": config.secret_key,
        "SESSION_COOKIE_NAME": "slipway_session",
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "PERMANENT_SESSION_LIFETIME": timedelta(days=7),
        "WTF_CSRF_TIME_LIMIT": None,
        "MAX_CONTENT_LENGTH": bodies.LIMIT,
        "MAX_FORM_MEMORY_SIZE": bodies.LIMIT,
        "SEND_FILE_MAX_AGE_DEFAULT": 3600,
        "BOOTSTRAP_SERVE_LOCAL": True,
    }


def init_app(app: Flask) -> None:
    _trust_proxies(app, app.config["SLIPWAY"].trusted_proxies)
    cookies.init_app(app)
    # Flask-Login's own context processor would ask the database for the user on an error page about the database.
    manager = LoginManager(app, add_context_processor=False)
    manager.user_loader(accounts.load)
    bodies.init_app(app)
    app.before_request(_require_sign_in)
    app.before_request(_go_on)
    app.before_request(kept.show_again)
    CSRFProtect(app)
    app.after_request(_add_headers)


def _trust_proxies(app: Flask, proxies: int) -> None:
    """The visitor's address is the one that the farthest of our proxies has seen, counted from the end: what stands
    before it in X-Forwarded-For came from the visitor. Of scheme and host, proxies pass on one value."""
    if proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=1, x_host=1)  # type: ignore[method-assign]


def hides_behind_a_proxy() -> bool:
    """The request came through a proxy, and none is trusted: all visitors seem to have one address."""
    return "X-Forwarded-For" in request.headers and not current_app.config["SLIPWAY"].trusted_proxies


def _require_sign_in() -> AnyResponse | tuple[str, int] | None:
    if request.endpoint is None or request.endpoint in assets.ENDPOINTS:
        return None
    if request.endpoint not in PUBLIC and not current_user.is_authenticated:
        if typed := kept.typed():
            return _ended(typed.text, typed.action)
        wanted = request.full_path.rstrip("?") if request.method == "GET" else None
        return redirect(url_for("session.sign_in", next=wanted), 303)
    if request.endpoint not in PUBLIC:
        g.user = current_user.user
        if not permissions.may(
            g.user, permissions.required(current_app.view_functions[request.endpoint], request.method)
        ):
            abort(403)
    return None


def _go_on() -> AnyResponse | tuple[str, int] | None:
    """What was typed goes through the sign-in also where another tab was faster with it, or has signed out since."""
    if request.endpoint not in SIGN_IN or not kept.carried() or not kept.comes_from_us():
        return None
    wanted = request.args.get("next", "")
    if current_user.is_authenticated and is_own_path(wanted):
        return redirect(wanted, 307)
    return None if kept.has_token() else _ended(kept.carried(), wanted)


def _ended(typed: str, wanted: str) -> tuple[str, int]:
    here = url_for("session.start", next=wanted)
    return render_template("sign_in.html", form=SignInForm(), has_users=True, here=here, typed=typed), 401


def _add_headers(response: Response) -> Response:
    response.headers.extend(HEADERS)
    if cookies.are_secure(current_app):
        response.headers["Strict-Transport-Security"] = TRANSPORT
    if request.endpoint not in assets.ENDPOINTS:
        response.headers["Cache-Control"] = "no-store"
    return response


def is_own_path(target: str) -> bool:
    """May a redirect go there? Only to a path of this panel: a browser reads `//x`, `/\\x` and, after dropping
    tabs and line ends, `/<tab>/x` as another site."""
    return target.startswith("/") and target[1:2] not in ("/", "\\") and target.isprintable()

"""The menu: the same on all pages, for all who have one role, but for the entry that is the page itself. Made once for
each of them, since twelve addresses and pictures take longer than what else stands around a page."""

from __future__ import annotations

from functools import lru_cache

from flask import Flask, render_template
from markupsafe import Markup


def init_app(app: Flask) -> None:
    @lru_cache(maxsize=256)
    def menu(_role: str, page: str | None, _root: str) -> Markup:
        """`_root` is where the panel stands on its host: an address begins with it."""
        return Markup(render_template("_menu.html", page=page))  # noqa: S704  # a template escapes

    app.jinja_env.globals["menu"] = menu

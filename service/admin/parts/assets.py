"""Stylesheets, scripts and pictures: a browser keeps them for a year, since an address with another hash is another
file."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, request
from werkzeug.security import safe_join

ENDPOINTS = frozenset({"static", "bootstrap.static"})
YEAR = 31_536_000  # seconds


def init_app(app: Flask) -> None:
    app.url_defaults(_add_hash)
    app.after_request(_keep)


def _add_hash(endpoint: str, values: dict[str, Any]) -> None:
    if endpoint in ENDPOINTS and (digest := _digest_of(endpoint, values.get("filename", ""))):
        values["v"] = digest


def _keep(response: Response) -> Response:
    """Only under the hash of what is sent: during a deploy, an old page may ask a new panel."""
    asked = request.args.get("v")
    if request.endpoint in ENDPOINTS and asked and asked == _digest_of(request.endpoint, _filename()):
        response.headers["Cache-Control"] = f"public, max-age={YEAR}, immutable"
    return response


def _filename() -> str:
    return str((request.view_args or {}).get("filename", ""))


def _digest_of(endpoint: str, filename: str) -> str:
    """Empty for a file that is not there."""
    holder = current_app.blueprints["bootstrap"] if endpoint == "bootstrap.static" else current_app
    path = _path(holder.static_folder or "", filename)
    try:
        return _digest(path, os.stat(path).st_mtime_ns) if path else ""  # noqa: PTH116  # five times a page
    except OSError:
        return ""


@lru_cache(maxsize=256)
def _path(folder: str, filename: str) -> str | None:
    return safe_join(folder, filename)


@lru_cache(maxsize=256)
def _digest(path: str, _changed: int) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:12]

"""Answers as small as they can be: gzip, which every browser reads and which needs no package of its own.

Compression can betray a secret to somebody who sees the length of many answers that repeat their own words beside it
(the BREACH attack). So only answers to GET are compressed: the cookie does not come along when another site asks for
them in the background; what repeats a form, or shows a token this once, answers a POST. The token of a form is signed
anew each second, and a page's length is blurred by a name of random length in its header."""

from __future__ import annotations

import gzip
import io
import secrets
from functools import lru_cache

from flask import Flask, Response, request

from service.admin.parts import assets

KINDS = frozenset({"text/html", "text/css", "text/javascript", "application/json", "image/svg+xml"})
# Below this, the answer fits into one packet either way.
LEAST = 1024
# For a page that is packed anew each time: a tenth more bytes than the usual 6, in half of the time.
LEVEL = 4
BLUR = 100


def init_app(app: Flask) -> None:
    app.after_request(_compress)


def _compress(response: Response) -> Response:
    is_file = request.endpoint in assets.ENDPOINTS
    # What comes in pieces is sent in pieces: an export, or an answer as it grows.
    is_whole = is_file or not response.is_streamed
    if not (response.status_code == 200 and response.mimetype in KINDS and is_whole and request.method == "GET"):
        return response
    response.vary.add("Accept-Encoding")
    response.direct_passthrough = False
    body = response.get_data()
    if len(body) < LEAST or request.accept_encodings["gzip"] <= 0 or "Content-Encoding" in response.headers:
        return response
    response.set_data(_pack_file(body) if is_file else _pack(body))
    response.headers["Content-Encoding"] = "gzip"
    etag, _is_weak = response.get_etag()
    if etag:
        response.set_etag(etag, weak=True)
    return response


@lru_cache(maxsize=32)
def _pack_file(body: bytes) -> bytes:
    """The same for everybody, so once is enough."""
    return gzip.compress(body, 9, mtime=0)


def _pack(body: bytes) -> bytes:
    packed = io.BytesIO()
    name = "a" * secrets.randbelow(BLUR)
    with gzip.GzipFile(name, "wb", LEVEL, packed, mtime=0) as file:
        file.write(body)
    return packed.getvalue()

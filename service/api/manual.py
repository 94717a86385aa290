"""The API described: for programs as OpenAPI, for people as a page. Open to anybody: neither says what is inside."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from flask import Flask, Response, current_app, render_template, request
from markupsafe import Markup, escape

from service.api.endpoints import JSON, Group
from service.api.problems import STATUSES
from service.api.tokens import SCOPES

group = Group("Manual", "What there is, and how it is asked for.")


class Field(NamedTuple):
    """A field of a body or an answer, as the page shows it."""

    name: str
    kind: str
    is_required: bool
    description: str


@group.get("/openapi.json", scope=None, media=(JSON,))
def openapi() -> Response:
    """This API as an OpenAPI 3.1 document."""
    return Response(json.dumps(_document()), mimetype=JSON)


@group.get("/docs", scope=None, media=("text/html",))
def page() -> Response:
    """This API as a page to read."""
    document = _document()
    text = render_template("docs.html", document=document, groups=_by_tag(document), scopes=SCOPES, statuses=STATUSES)
    return Response(text, content_type="text/html; charset=utf-8")


def init_app(app: Flask) -> None:
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    for show in (marked, kind, fields):
        app.jinja_env.filters[show.__name__] = show


def marked(text: str) -> Markup:
    """A sentence whose `words` stand between backticks, with these set as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  # escaped just here


def kind(schema: dict[str, Any]) -> str:
    """A schema in a few words: `string or null`, `list of Message`."""
    if "anyOf" in schema:
        return " or ".join(kind(part) for part in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(f"“{value}”" for value in schema["enum"])
    if "$ref" in schema:
        return _named(schema)
    if schema.get("type") == "array":
        return f"list of {kind(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "anything")


def fields(schema: dict[str, Any]) -> Iterator[Field]:
    """The fields of the schema that is referred to, and, after dots, those of what it holds."""
    known = current_app.config["DOCUMENT"]["components"]["schemas"]
    found = known[schema["$ref"].rpartition("/")[2]]
    for name, about in found.get("properties", {}).items():
        yield Field(name, kind(about), name in found.get("required", ()), about.get("description", ""))
        for inner in (about, about.get("items", {}), *about.get("anyOf", ())):
            if "$ref" in inner:
                yield from (field._replace(name=f"… {field.name}") for field in fields(inner))


def _named(schema: dict[str, Any]) -> str:
    name: str = schema["$ref"].rpartition("/")[2]
    return re.sub(r"_(\w+?)(?:Answer)?_", r" of \1", name).removesuffix("Answer")


def _document() -> dict[str, Any]:
    described: dict[str, Any] = current_app.config["DOCUMENT"]
    return described | {"servers": [{"url": request.script_root}]}


def _by_tag(document: dict[str, Any]) -> dict[str, list[tuple[str, str, dict[str, Any]]]]:
    found: dict[str, list[tuple[str, str, dict[str, Any]]]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            found[operation["tags"][0]].append((method.upper(), path, operation))
    return found

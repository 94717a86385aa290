"""The API, described for programs (OpenAPI 3.1) out of what its endpoints say of themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic.json_schema import models_json_schema

from service.api.endpoints import JSON, Endpoint, Group
from service.api.idempotency import HEADER, LONGEST, PATTERN
from service.api.problems import STATUSES, ErrorAnswer
from service.api.tokens import SCOPES

Document = dict[str, Any]

_CONVERTERS = {
    "int": {"type": "integer", "minimum": 0},
    "any": lambda words: {"type": "string", "enum": [word.strip() for word in words.split(",")]},
}
_PARAMETER = re.compile(r"<(?P<kind>\w+)(?:\((?P<words>[^)]*)\))?:(?P<name>\w+)>")
_REFERENCE = "#/components/schemas/{model}"


def describe(groups: Sequence[Group], server: str) -> Document:
    endpoints = [endpoint for group in groups for endpoint in group.endpoints]
    schemas, named = _schemas(endpoints)
    paths: Document = {}
    for endpoint in endpoints:
        path = _PARAMETER.sub(lambda found: f"{{{found['name']}}}", endpoint.path)
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Slipway",
            "version": "1",
            "description": "Talk to chatbots, publish their versions, and read and export what was said.",
        },
        "servers": [{"url": server}],
        "tags": [{"name": group.name, "description": group.about} for group in groups],
        "paths": paths,
        "components": {
            "schemas": named,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Scopes: "
                    + " ".join(f"`{name}`: {words}." for name, (words, _role) in SCOPES.items()),
                }
            },
        },
    }


def _schemas(endpoints: Sequence[Endpoint]) -> tuple[dict[Any, Document], Document]:
    """Where each model's schema is, and all of them by name."""
    asked = [(model, "validation") for e in endpoints for model in (e.query, e.body) if model]
    answered: list[Any] = [(e.answer, "serialization") for e in endpoints if e.answer]
    models = dict.fromkeys([*asked, *answered, (ErrorAnswer, "serialization")])
    places, definitions = models_json_schema(list(models), ref_template=_REFERENCE)
    return {model: place for (model, _mode), place in places.items()}, definitions["$defs"]


def _operation(endpoint: Endpoint, schemas: dict[Any, Document]) -> Document:
    operation: Document = {
        "operationId": endpoint.name,
        "tags": [endpoint.group],
        "summary": endpoint.summary,
        "description": endpoint.description,
        "parameters": [*_path_parameters(endpoint), *_query_parameters(endpoint), *_header_parameters(endpoint)],
        "responses": _responses(endpoint, schemas),
        "security": [] if endpoint.scope is None else [{"token": []}],
    }
    if endpoint.scope:
        operation["x-scope"] = endpoint.scope
    if endpoint.body:
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": schemas[endpoint.body]}}}
    return operation


def _path_parameters(endpoint: Endpoint) -> Iterator[Document]:
    for found in _PARAMETER.finditer(endpoint.path):
        converter: Any = _CONVERTERS[found["kind"]]
        schema = converter(found["words"]) if callable(converter) else converter
        example = schema.get("enum", [1])[0]
        yield {"name": found["name"], "in": "path", "required": True, "schema": schema, "example": example}


def _query_parameters(endpoint: Endpoint) -> Iterator[Document]:
    if endpoint.query is None:
        return
    schema = endpoint.query.model_json_schema()
    for name, about in schema["properties"].items():
        # Absent is the only way to say nothing in a query: there is no null.
        kinds = [kind for kind in about.get("anyOf", [about]) if kind != {"type": "null"}]
        kind = {key: value for key, value in kinds[0].items() if key not in ("description", "title", "default")}
        if about.get("default") is not None:
            kind["default"] = about["default"]
        described = {"description": about["description"]} if "description" in about else {}
        is_required = name in schema.get("required", ())
        yield {"name": name, "in": "query", "required": is_required, "schema": kind, **described}


def _header_parameters(endpoint: Endpoint) -> Iterator[Document]:
    if endpoint.method == "POST":
        schema = {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": PATTERN}
        words = "Sent again with the same key, the request is done once and answered alike; keys are kept for 24 hours."
        yield {"name": HEADER, "in": "header", "required": False, "schema": schema, "description": words}
    if endpoint.is_resumed:
        words = "The id of the last event that came, so that the text goes on behind it."
        yield {
            "name": "Last-Event-ID",
            "in": "header",
            "required": False,
            "schema": {"type": "string"},
            "description": words,
        }


def _responses(endpoint: Endpoint, schemas: dict[Any, Document]) -> Document:
    content = {"schema": schemas[endpoint.answer] if endpoint.answer else endpoint.content}
    # A file may be of one kind or another; JSON among files is no string.
    kinds = {media: {} if media == JSON and not endpoint.answer else content for media in endpoint.media}
    success: Document = {"description": "Done."}
    if endpoint.status != 204:
        success["content"] = kinds
    found: Document = {str(status): success for status in (endpoint.status, *endpoint.also)}
    for status in _refusals(endpoint):
        fault = {JSON: {"schema": schemas[ErrorAnswer]}}
        found[str(status)] = {"description": STATUSES[status][1], "content": fault}
    return found


def _refusals(endpoint: Endpoint) -> list[int]:
    """What may go wrong: said by the endpoint, and what follows from what it says."""
    may = {405, 422, 500, 503, *endpoint.refusals}
    may |= {400, 413, 415} if endpoint.body else set()
    may |= {409} if endpoint.method == "POST" else set()
    may |= {401, 403, 429} if endpoint.scope else set()
    may |= {404} if "<" in endpoint.path else set()
    return sorted(may)

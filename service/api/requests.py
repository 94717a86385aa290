"""From what was sent to what an endpoint asks for, or to an answer that names each field that can't be used."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from flask import request
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from service.api.endpoints import JSON, Endpoint
from service.api.problems import Problem


def read(endpoint: Endpoint) -> dict[str, Any]:
    """The arguments `query` and `body` for the endpoint's view, as far as it has them."""
    given: dict[str, Any] = {}
    if endpoint.query:
        given["query"] = _checked(endpoint.query, _query(), "query", is_strict=False)
    elif request.args:
        raise Problem(422, "This address takes no query parameters.")
    if endpoint.body:
        given["body"] = _checked(endpoint.body, _json(), "body", is_strict=True)
    return given


def _query() -> dict[str, str]:
    if repeated := sorted(name for name, values in request.args.lists() if len(values) > 1):
        raise Problem(422, f"Give each parameter once; repeated: {', '.join(map(repr, repeated))}.")
    return request.args.to_dict()


def _json() -> Any:
    if request.mimetype != JSON:
        raise Problem(415)
    try:
        # Every number that JSON has no word for, and every key that is there twice, would be kept as something else.
        return json.loads(request.get_data(), parse_constant=_refuse, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        raise Problem(400, "The body is no JSON that can be read.") from None


def _refuse(_constant: str) -> NoReturn:
    raise ValueError


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError
    return made


def _checked(model: type[BaseModel], value: Any, where: str, *, is_strict: bool) -> BaseModel:
    try:
        return model.model_validate(value, strict=is_strict)
    except ValidationError as error:
        details = [
            {"field": ".".join(str(part) for part in (where, *fault["loc"])), "problem": _problem(model, fault)}
            for fault in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise Problem(422, "A value can't be used; see details.", details=details) from None


def _problem(model: type[BaseModel], fault: ErrorDetails) -> str:
    """In pydantic's words, but for a name that is not known: those who mistyped it want to see the right ones."""
    if fault["type"] == "extra_forbidden" and len(fault["loc"]) == 1:
        return f"There is no such field here; there are {', '.join(model.model_fields)}."
    return fault["msg"]

"""From a request to its answer: let in, read, done once, written down."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Flask, Response
from pydantic import BaseModel

from service.api import guard, idempotency, requests
from service.api.endpoints import JSON, Endpoint, Group
from service.database import connection


def register(app: Flask, groups: tuple[Group, ...]) -> None:
    for group in groups:
        for endpoint in group.endpoints:
            app.add_url_rule(
                endpoint.path,
                endpoint.name,
                partial(_answer, endpoint),
                methods=[endpoint.method],
                provide_automatic_options=False,
            )


def _answer(endpoint: Endpoint, **path: Any) -> Response:
    if endpoint.scope is None:
        return _written(endpoint, endpoint.view(**requests.read(endpoint), **path))
    with connection():
        guard.admit(endpoint.scope)
        work: Callable[[], Response] = partial(_work, endpoint, requests.read(endpoint) | path)
        if not endpoint.is_slow:
            return idempotency.once(work) if endpoint.method == "POST" else work()
    return work()


def _work(endpoint: Endpoint, given: dict[str, Any]) -> Response:
    return _written(endpoint, endpoint.view(**given))


def _written(endpoint: Endpoint, answer: Any) -> Response:
    if isinstance(answer, Response):
        return answer
    if answer is None:
        return Response(status=204)
    if isinstance(answer, BaseModel):
        return Response(answer.model_dump_json(), endpoint.status, mimetype=JSON)
    raise TypeError(f"{endpoint.name} answers with {type(answer).__name__}, which it does not say of itself.")

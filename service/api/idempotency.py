"""A request that may be sent again: who names it by an Idempotency-Key has it done once, and gets its answer again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask import Response, g, request

from service.api.endpoints import JSON
from service.api.problems import Problem
from service.database import connection, writing
from service.models import IdempotencyKey
from service.models.base import utc_now

HEADER, REPLAYED = "Idempotency-Key", "Idempotent-Replayed"
LONGEST, PATTERN = 200, "^[!-~]+$"  # what ASCII prints, without the space
# An answer is kept so long; one that is still missing after this was worked on by a process that is no more.
KEPT, ABANDONED = timedelta(hours=24), timedelta(minutes=2)


def once(work: Callable[[], Response]) -> Response:
    """Do the work, or repeat the answer that it had. What it changes is written together with its answer: a process
    that is killed in between leaves neither. A refused request changed nothing, so its key is free again."""
    key = given()
    if key is None:
        return work()
    claimed = _claim(key)
    if claimed.status is not None:
        return _replayed(claimed)
    try:
        with connection() as database, writing(database):
            response = work()
            _keep(claimed, response)
        return response
    except BaseException:
        IdempotencyKey.delete().where(IdempotencyKey.id == claimed.id, IdempotencyKey.status.is_null()).execute()
        raise


def given() -> str | None:
    """The key of this request, if it has one; 422 for one that can't be kept."""
    key = request.headers.get(HEADER)
    if key is not None and not (len(key) <= LONGEST and re.fullmatch(PATTERN, key)):
        raise Problem(422, f"{HEADER} has to be 1 to {LONGEST} printable ASCII characters without spaces, like a UUID.")
    return key


def _claim(key: str) -> IdempotencyKey:
    """The key's row: a new one without a status, to be worked on, or an answered one."""
    with connection() as database, writing(database):
        IdempotencyKey.delete().where(_named(key) & _is_over()).execute()
        row = {"token": g.token, "key": key, "fingerprint": _fingerprint(), "created_at": utc_now()}
        is_mine = IdempotencyKey.insert(row).on_conflict_ignore().as_rowcount().execute()
        found: IdempotencyKey = IdempotencyKey.get(_named(key))
    if is_mine:
        return found
    if found.fingerprint != _fingerprint():
        raise Problem(422, f"This {HEADER} belongs to another request.", code="key_reused")
    if found.status is None:
        raise Problem(409, "The first request with this key is still being worked on.", headers={"Retry-After": "1"})
    return found


def _named(key: str) -> Any:
    return (IdempotencyKey.token == g.token) & (IdempotencyKey.key == key)


def _is_over() -> Any:
    now = utc_now()
    is_abandoned = IdempotencyKey.status.is_null() & (IdempotencyKey.created_at < now - ABANDONED)
    return (IdempotencyKey.created_at < now - KEPT) | is_abandoned


def _keep(claimed: IdempotencyKey, response: Response) -> None:
    answer = {"status": response.status_code, "response": response.get_data(as_text=True)}
    mine = IdempotencyKey.update(answer).where(IdempotencyKey.id == claimed.id, IdempotencyKey.status.is_null())
    if not mine.execute():
        raise Problem(409, "Another request with this key took over, since this one took too long.")


def _replayed(kept: IdempotencyKey) -> Response:
    response = Response(kept.response or "", kept.status, mimetype=JSON)
    response.headers[REPLAYED] = "true"
    return response


def _fingerprint() -> str:
    described = f"{request.method} {request.full_path}\n".encode() + request.get_data()
    return hashlib.sha256(described).hexdigest()

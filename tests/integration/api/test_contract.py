"""The description of the HTTP API is true: what it allows is answered as it says, and what it forbids is refused.

CONTRACT_EXAMPLES=10 tries more, and the edge of every value; it takes a minute or two."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from service.api.idempotency import LONGEST, PATTERN
from service.url import DatabaseUrl
from tests.support.api import furnish, program, worker
from tests.support.panel import add_user, panel

FEW = 2
EXAMPLES = int(os.environ.get("CONTRACT_EXAMPLES", FEW))
# What `config` and `rag_settings` may hold depends on the provider, which the description leaves to another document.
SETTINGS = {"positive_data_acceptance": {"expected-statuses": ["2xx", "404", "409", "422"]}}


@pytest.fixture
def app(service_database: DatabaseUrl) -> Flask:
    app = panel(service_database, API_RATE_LIMIT="1000000")
    app.wsgi_app = with_a_key_each(app.wsgi_app)  # type: ignore[method-assign]
    return app


def with_a_key_each(application: Callable[..., Any]) -> Callable[..., Any]:
    """The tool sends one Idempotency-Key with many requests, which is refused, as it should be."""
    numbers = itertools.count()

    def renamed(environ: dict[str, Any], start: Any) -> Any:
        key = environ.get("HTTP_IDEMPOTENCY_KEY", "")
        if len(key) <= LONGEST and re.fullmatch(PATTERN, key):
            environ["HTTP_IDEMPOTENCY_KEY"] = f"key-{next(numbers)}"
        return application(environ, start)

    return renamed


def tried(app: Flask) -> Iterator[Any]:
    """Send what the description allows and forbids; what was sent to each endpoint, and what was found."""
    # All processes of a test run read this file, and one needs the tool.
    import schemathesis
    from schemathesis.engine import events, from_schema

    user = add_user()
    furnish(user)
    is_long = EXAMPLES > FEW
    config = {
        "headers": {"Authorization": f"Bearer {program(app, user).key}"},
        "seed": 7,
        "generation": {"max-examples": EXAMPLES, "deterministic": True, "database": "none"},
        "phases": {"stateful": {"enabled": False}, "coverage": {"enabled": is_long, "unexpected-methods": []}},
        # Tokens have tests of their own, for every address.
        "checks": {"ignored_auth": {"enabled": False}},
        "operations": [{"include-path": path, "checks": SETTINGS} for path in ("/chatbots", "/chatbots/{chatbot_id}")],
    }
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", app, config=schemathesis.Config.from_dict(config))
    with worker():
        for event in from_schema(schema).execute():
            assert not isinstance(event, events.NonFatalError | events.FatalError), vars(event)
            if isinstance(event, events.ScenarioFinished):
                yield event


def test_every_endpoint_keeps_its_word(app: Flask) -> None:
    statuses: dict[str, set[int]] = {}
    problems = []
    for event in tried(app):
        answers = [sent.response.status_code for sent in event.recorder.interactions.values() if sent.response]
        statuses.setdefault(event.label, set()).update(answers)
        for check in itertools.chain.from_iterable(event.recorder.checks.values()):
            if found := check.failure_info:
                problems.append(f"{event.label}: {found.failure.title}: {found.failure.message}\n{found.code_sample}")
    assert "\n\n".join(problems) == ""
    unused = [label for label, seen in statuses.items() if not any(200 <= status < 300 for status in seen)]
    # A dead letter is either retried or dropped first.
    assert [label for label in unused if "dead-letters" not in label] == []
    assert len(statuses) > 25

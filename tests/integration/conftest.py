"""What many of these tests begin with. A module that needs it otherwise says so under the same name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from service.chat.outside import Outside
from service.chat.providers.openai import OpenAI
from service.url import DatabaseUrl
from tests.support.bot_api import BotApi, bot_api
from tests.support.openai import KEY
from tests.support.panel import Browser, panel, signed_in
from tests.support.workers import Workers, workers


@pytest.fixture
def app(service_database: DatabaseUrl) -> Flask:
    return panel(service_database)


@pytest.fixture
def browser(app: Flask) -> Browser:
    return signed_in(app)


@pytest.fixture
def owner(app: Flask) -> Browser:
    return signed_in(app)


@pytest.fixture
def started(service_database: DatabaseUrl, tmp_path: Path) -> Iterator[Workers]:
    with workers(service_database, tmp_path) as handle:
        yield handle


@pytest.fixture
def api() -> Iterator[BotApi]:
    with bot_api() as server:
        yield server


@pytest.fixture
def provider() -> Iterator[OpenAI]:
    """One for endpoints of OpenAI's kind, which hardly pauses before it asks again."""
    outside = Outside({"TEST_API_KEY": KEY})
    yield OpenAI(outside, pause=0.01)
    outside.close()

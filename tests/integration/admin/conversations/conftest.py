"""What tests of a transcript begin with that goes on by itself."""

from __future__ import annotations

import pytest

from service.admin.conversations import live
from service.models import Chatbot
from tests.support.chat import make_chatbot
from tests.support.panel import Browser


@pytest.fixture
def chatbot(browser: Browser) -> Chatbot:
    return make_chatbot(title="Helper")


@pytest.fixture
def _hardly_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream looks for news all the time."""
    monkeypatch.setattr(live, "PAUSE", 0.01)

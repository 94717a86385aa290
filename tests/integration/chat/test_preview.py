from __future__ import annotations

import pytest

from service.chat.preview import preview
from service.chat.providers import ProviderError, Turn, built_in
from service.models import TABLES
from tests.support.chat import make_chatbot
from tests.support.providers import Recorder

pytestmark = [
    pytest.mark.usefixtures("service_database"),
    pytest.mark.parametrize("service_database", ["sqlite"], indirect=True),
]


def rows() -> list[int]:
    return [table.select().count() for table in TABLES]


def test_a_draft_answers_as_the_version_would_and_nothing_is_written() -> None:
    make_chatbot()
    before, recorder = rows(), Recorder("Ahoy.")
    draft = {"system_prompt": "Speak like a pirate.", "model_name": "small", "config": {"history_tokens": 0}}
    chunks = list(preview(draft, [Turn("user", "Old"), Turn("user", "Hello")], {"offline": recorder}))
    assert "".join(map(str, chunks)) == "Ahoy."
    assert (recorder.requests[0].model, recorder.requests[0].system_prompt) == ("small", "Speak like a pirate.")
    assert recorder.requests[0].history == (Turn("user", "Hello"),)
    assert rows() == before


def test_a_draft_answers_in_pieces() -> None:
    assert len(list(preview({}, [Turn("user", "Hello")], built_in()))) > 5


def test_a_draft_that_can_not_be_used_says_why() -> None:
    with pytest.raises(ProviderError, match=r"config.top_p has to be a number from 0 to 1\."):
        list(preview({"config": {"top_p": 2}}, [Turn("user", "Hello")], built_in()))

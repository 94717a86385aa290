"""The provider for OpenAI-compatible endpoints as the tests ask it."""

from __future__ import annotations

from typing import Any

import pytest

from service.chat.providers import Chunk, ProviderError, Request, Turn
from service.chat.providers.openai import OpenAI
from tests.support.endpoint import Endpoint

KEY = "sk-that-must-stay-secret"


def request(at: Endpoint | str, config: dict[str, Any] | None = None, **more: Any) -> Request:
    base = at.base if isinstance(at, Endpoint) else at
    settings = {"base_url": base, "api_key_env": "TEST_API_KEY"} | (config or {})
    given = {"model": "small", "system_prompt": "Be brief.", "history": (Turn("user", "Hello"),)} | more
    return Request(config=settings, **given)


def answer(provider: OpenAI, asked: Request) -> list[Chunk]:
    return list(provider.stream(asked))


def failure(provider: OpenAI, asked: Request) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        answer(provider, asked)
    assert KEY not in str(caught.value)
    return caught.value

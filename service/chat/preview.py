"""Talking to settings that no version holds yet: an answer as it would be, and nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from service.chat import dialogue
from service.chat.cancel import IsCancelled, never
from service.chat.providers import Chunk, Providers, Turn
from service.models import SETTINGS, Chatbot


def preview(
    settings: Mapping[str, Any],
    turns: Sequence[Turn],
    providers: Providers,
    *,
    is_cancelled: IsCancelled = never,
) -> Iterator[Chunk]:
    """The answer to the last turn, chunk by chunk: text as `str`, and what else a chunk can be. Settings that are not
    given are a new chatbot's. Raises ProviderError, and Cancelled once `is_cancelled` says so."""
    new = Chatbot()
    whole = {name: getattr(new, name) for name in SETTINGS} | dict(settings)
    return dialogue.pieces(whole, turns, providers, is_cancelled=is_cancelled)

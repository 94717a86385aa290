"""Talking to settings that no version holds yet: an answer as it would be, and nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from service.chat import dialogue
from service.chat.cancel import IsCancelled, never
from service.chat.dialogue import Piece
from service.chat.outside import Outside
from service.chat.providers import Providers, Turn
from service.models import SETTINGS, Chatbot


def preview(
    settings: Mapping[str, Any],
    turns: Sequence[Turn],
    providers: Providers,
    outside: Outside | None = None,
    *,
    is_cancelled: IsCancelled = never,
) -> Iterator[Piece]:
    """The answer to the last turn, piece by piece: text as `str`, and what else a piece can be. Settings that are not
    given are a new chatbot's. Raises ProviderError, and Cancelled once `is_cancelled` says so."""
    new = Chatbot()
    whole = {name: getattr(new, name) for name in SETTINGS} | dict(settings)
    return dialogue.pieces(whole, turns, providers, outside or Outside(), is_cancelled=is_cancelled)

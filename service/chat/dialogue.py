"""From the settings of a version and what was said to an answer, piece by piece. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from service.chat import budget, options, retrieval
from service.chat.cancel import Cancelled, IsCancelled, never
from service.chat.outside import Outside
from service.chat.providers import Chunk, ProviderError, Providers, Request, Turn, named
from service.chat.retrieval import Retrieved

Piece = Chunk | Retrieved


def pieces(
    settings: Mapping[str, Any],
    turns: Sequence[Turn],
    providers: Providers,
    outside: Outside,
    *,
    persona: str = "",
    is_cancelled: IsCancelled = never,
) -> Iterator[Piece]:
    """Answer the last turn as a version with these settings would. Raises ProviderError and Cancelled."""
    provider = named(providers, settings["model_provider"])
    given = _options(settings)
    found = retrieval.retrieve(settings, turns[-1].content, outside, is_cancelled)
    if found:
        yield found
    request = Request(
        model=settings["model_name"],
        system_prompt=_joined(settings["system_prompt"], persona, found.prompt if found else ""),
        history=(*budget.fitted(turns[:-1], given.history_tokens), turns[-1]),
        config=settings["config"],
        is_cancelled=is_cancelled,
    )
    is_empty = True
    for chunk in provider.stream(request):
        if is_cancelled():
            raise Cancelled
        is_empty = is_empty and not (isinstance(chunk, str) and chunk.strip())
        yield chunk
    if is_empty:
        raise ProviderError("The provider gave an empty answer.", is_temporary=True)


def _options(settings: Mapping[str, Any]) -> options.Options:
    """A version from before settings were checked may hold what can't be used."""
    try:
        return options.read_config(settings["config"])
    except options.SettingError as error:
        raise ProviderError(f"{error} Publish a new version of the chatbot.", is_temporary=False) from error


def _joined(*parts: str) -> str:
    return "\n\n".join(part.strip() for part in parts if part.strip())

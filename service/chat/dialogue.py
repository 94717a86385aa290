"""From the settings of a version and what was said to an answer, piece by piece: passages are looked up, the model is
asked, and its tools are called until it has said what it had to say. Writes nothing."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from service.chat import budget, options, retrieval
from service.chat.cancel import Cancelled, IsCancelled, never
from service.chat.options import Options
from service.chat.outside import Outside
from service.chat.providers import Cut, Provider, ProviderError, Providers, Request, ToolCall, Turn, Usage, named
from service.chat.retrieval import Retrieved
from service.chat.tools.offer import Called, Offer, offered

Piece = str | Usage | Cut | Retrieved | Called
# More calls at once are a model that has lost its way.
MOST_CALLS = 16


@dataclass(frozen=True)
class Said:
    """What the model said in one round: a text, and the tools that it wants to be called."""

    text: str
    calls: tuple[ToolCall, ...]


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
    offer = offered(given.mcp_servers, outside, is_cancelled)
    yield from offer.failures
    request = Request(
        model=settings["model_name"],
        system_prompt=_joined(settings["system_prompt"], persona, found.prompt if found else "", offer.prompt),
        history=(*budget.fitted(turns[:-1], given.history_tokens), turns[-1]),
        config=settings["config"],
        tools=tuple(offer.tools),
        is_cancelled=is_cancelled,
    )
    yield from _rounds(provider, request, offer, given)


def _rounds(provider: Provider, request: Request, offer: Offer, given: Options) -> Iterator[Piece]:
    """Ask, call, and ask again with the results. After the last round the model has to answer with what it knows."""
    has_spoken = False
    for number in range(given.tool_rounds + 1):
        request = replace(request, may_call=number < given.tool_rounds)
        said = yield from _said(provider, request, is_first=not has_spoken)
        has_spoken = has_spoken or bool(said.text.strip())
        if not said.calls or not request.may_call:
            break
        results = []
        for call in said.calls:
            called = offer.call(call, given.tool_seconds)
            yield called
            results.append(Turn("tool", called.told, call_id=call.id))
        request = replace(request, history=(*request.history, Turn("assistant", said.text, said.calls), *results))
    if not said.text.strip():
        raise ProviderError("The provider gave an empty answer.", is_temporary=True)


def _said(provider: Provider, request: Request, *, is_first: bool) -> Generator[Piece, None, Said]:
    """One answer of the model, passed on as it comes; a paragraph of its own, if it is not the first."""
    text, calls = "", []
    for chunk in provider.stream(request):
        if request.is_cancelled():
            raise Cancelled
        if isinstance(chunk, ToolCall):
            calls.append(chunk)
            continue
        if isinstance(chunk, str):
            if not is_first and not text:
                yield "\n\n"
            text += chunk
        yield chunk
    return Said(text, tuple(calls[:MOST_CALLS]))


def _options(settings: Mapping[str, Any]) -> Options:
    """A version from before settings were checked may hold what can't be used."""
    try:
        return options.read_config(settings["config"])
    except options.SettingError as error:
        raise ProviderError(f"{error} Publish a new version of the chatbot.", is_temporary=False) from error


def _joined(*parts: str) -> str:
    return "\n\n".join(part.strip() for part in parts if part.strip())

"""Who answers. A provider turns a request into a stream of chunks; which one, the version says by name."""

from __future__ import annotations

from service.chat.cancel import Cancelled
from service.chat.outside import Outside
from service.chat.providers.offline import Offline
from service.chat.providers.openai import OpenAI
from service.chat.providers.talk import (
    Chunk,
    Cut,
    Provider,
    ProviderError,
    Providers,
    Request,
    Tool,
    ToolCall,
    Turn,
    Usage,
)

__all__ = [
    "Cancelled",
    "Chunk",
    "Cut",
    "Provider",
    "ProviderError",
    "Providers",
    "Request",
    "Tool",
    "ToolCall",
    "Turn",
    "Usage",
    "built_in",
    "named",
]


def built_in(outside: Outside | None = None) -> dict[str, Provider]:
    """Those that this release knows. Without a way outside they have no keys, but their names are the same."""
    return {"offline": Offline(), "openai": OpenAI(outside or Outside())}


def named(providers: Providers, name: str) -> Provider:
    """The provider of that name; ProviderError names those that there are."""
    if name not in providers:
        known = ", ".join(sorted(providers))
        raise ProviderError(
            f"The chatbot's provider {name!r} is unknown; choose one of: {known}, in a new version of the chatbot.",
            is_temporary=False,
        )
    return providers[name]

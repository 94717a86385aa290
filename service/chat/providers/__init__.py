"""Who answers. A provider turns a request into a stream of pieces of text; which one, the version says by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from service.chat.providers.offline import Offline


@dataclass(frozen=True)
class Turn:
    """One thing that was said, by "user" or "assistant"."""

    role: str
    content: str


@dataclass(frozen=True)
class Request:
    """What a provider gets: all that the version says, and what was said; the last turn is the question."""

    model: str
    system_prompt: str
    history: tuple[Turn, ...]
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def question(self) -> str:
        return self.history[-1].content


class Provider(Protocol):
    def stream(self, request: Request) -> Iterator[str]:
        """The answer, piece by piece. Raises ProviderError."""
        ...


Providers = Mapping[str, Provider]


class ProviderError(Exception):
    """No answer came. The text is for the operator. `is_temporary`: another attempt may succeed."""

    def __init__(self, message: str, *, is_temporary: bool) -> None:
        self.is_temporary = is_temporary
        super().__init__(message)


def built_in() -> dict[str, Provider]:
    return {"offline": Offline()}


def named(providers: Providers, name: str) -> Provider:
    """The provider of that name; ProviderError names those that there are."""
    if name not in providers:
        known = ", ".join(sorted(providers))
        raise ProviderError(
            f"The chatbot's provider {name!r} is unknown; choose one of: {known}, in a new version of the chatbot.",
            is_temporary=False,
        )
    return providers[name]

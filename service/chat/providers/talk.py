"""What goes to a provider and what comes back: a request, and a stream of chunks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from service.chat.cancel import IsCancelled, never


@dataclass(frozen=True)
class ToolCall:
    """The model wants a tool to be used. `arguments` is JSON as the model wrote it, so perhaps it is none."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Usage:
    """What one request cost, in the provider's own tokens."""

    input_tokens: int
    output_tokens: int


@dataclass(frozen=True)
class Cut:
    """The answer ends here although it has no end: it reached the longest that was allowed."""


Chunk = str | ToolCall | Usage | Cut


@dataclass(frozen=True)
class Turn:
    """One thing that was said, by "user" or "assistant"; or the result of a tool, by "tool".

    An assistant's turn may hold calls, and a tool's turn names the call that it answers."""

    role: str
    content: str
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""


@dataclass(frozen=True)
class Tool:
    """A tool as the model sees it; `parameters` is a JSON Schema."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Request:
    """What a provider gets: all that the version says, and what was said, up to the question.

    Once `is_cancelled` says so, nobody waits for the answer any more: the provider drops its connection at once and
    raises Cancelled."""

    model: str
    system_prompt: str
    history: tuple[Turn, ...]
    config: Mapping[str, Any] = field(default_factory=dict)
    tools: tuple[Tool, ...] = ()
    may_call: bool = True
    is_cancelled: IsCancelled = field(default=never, compare=False)

    @property
    def question(self) -> str:
        return next((turn.content for turn in reversed(self.history) if turn.role == "user"), "")


class Provider(Protocol):
    def stream(self, request: Request) -> Iterator[Chunk]:
        """The answer, piece by piece. Raises ProviderError and Cancelled."""
        ...


Providers = Mapping[str, Provider]


class ProviderError(Exception):
    """No answer came. The text is for the operator. `is_temporary`: another attempt may succeed, and not before
    `delay` seconds have passed, if the provider said so."""

    def __init__(self, message: str, *, is_temporary: bool, delay: float = 0.0) -> None:
        self.is_temporary, self.delay = is_temporary, delay
        super().__init__(message)

"""The chat protocol of OpenAI-compatible endpoints: what is sent, and what the events of an answer mean. No network."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from service.chat.options import Options
from service.chat.providers.talk import Chunk, Cut, ProviderError, Request, Tool, ToolCall, Turn, Usage
from service.chat.text import shortened, storable

DONE = "[DONE]"
# Some ten times what the longest answer of today's models holds.
LONGEST_ANSWER, MOST_CALLS = 1_000_000, 64


def body(request: Request, options: Options) -> dict[str, Any]:
    """The request as JSON. `config.request` adds to it, and takes out what it names with null."""
    system = [{"role": "system", "content": request.system_prompt}] if request.system_prompt.strip() else []
    whole = {
        "model": request.model,
        "messages": [*system, *map(_message, request.history)],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": options.temperature,
        "top_p": options.top_p,
        "max_tokens": options.max_tokens,
        "tools": [_tool(tool) for tool in request.tools] or None,
        # Without it, a model that has used tools before would go on and on.
        "tool_choice": "none" if request.tools and not request.may_call else None,
    }
    return {name: value for name, value in (whole | dict(options.request)).items() if value is not None}


def _message(turn: Turn) -> dict[str, Any]:
    if turn.role == "tool":
        return {"role": "tool", "tool_call_id": turn.call_id, "content": turn.content}
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in turn.calls
    ]
    return {"role": turn.role, "content": turn.content} | ({"tool_calls": calls} if calls else {})


def _tool(tool: Tool) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)}
    return {"type": "function", "function": function}


@dataclass
class _Call:
    id: str = ""
    name: str = ""
    arguments: str = ""


class Reader:
    """Reads the events of one answer in turn. Calls come in pieces, so they are given at the end."""

    def __init__(self) -> None:
        self._calls: dict[int, _Call] = {}
        self._finish = ""
        self.is_done = False
        self._length = 0

    def read(self, data: str) -> Iterator[Chunk]:
        """The chunks that an event brings. Raises ProviderError for one that can't be understood."""
        if data.strip() == DONE:
            self.is_done = True
            return
        event = _object(data)
        if event.get("error"):
            raise ProviderError(f"The endpoint broke off: {complaint(event)}", is_temporary=True)
        if usage := _usage(event.get("usage")):
            yield usage
        choices = event.get("choices")
        if isinstance(choices, list) and choices:
            yield from self._choice(choices[0])

    def end(self) -> Iterator[Chunk]:
        """What the whole answer came to, once nothing follows."""
        if self._finish == "content_filter":
            raise ProviderError("The endpoint's content filter stopped the answer.", is_temporary=False)
        if self._finish == "length" and not self._length:
            raise ProviderError(
                "The model used up max_tokens before it wrote a word; raise it in a new version of the chatbot.",
                is_temporary=False,
            )
        if not (self._finish or self.is_done):
            raise ProviderError("The endpoint closed the stream in the middle of the answer.", is_temporary=True)
        if self._finish == "length":
            yield Cut()  # a call that was cut is no call
        else:
            yield from self._finished_calls()

    def _choice(self, choice: Any) -> Iterator[Chunk]:
        if not isinstance(choice, Mapping):
            raise _unintelligible()
        delta = choice.get("delta") or {}
        if not isinstance(delta, Mapping):
            raise _unintelligible()
        for text in (delta.get("content"), delta.get("refusal")):
            if text is not None and not isinstance(text, str):
                raise _unintelligible()
            if text:
                self._count(text)
                yield text
        pieces = delta.get("tool_calls") or []
        if not isinstance(pieces, list):
            raise _unintelligible()
        for piece in pieces:
            self._add(piece)
        self._finish = str(choice.get("finish_reason") or self._finish)

    def _add(self, piece: Any) -> None:
        function = piece.get("function") if isinstance(piece, Mapping) else None
        if not isinstance(piece, Mapping) or not isinstance(function, Mapping | None):
            raise _unintelligible()
        # Some endpoints leave out the index and send each call whole.
        number = piece.get("index")
        number = number if isinstance(number, int) else max(self._calls, default=-1) + bool(piece.get("id"))
        call = self._calls.setdefault(number, _Call())
        call.id = call.id or str(piece.get("id") or "")
        call.name = call.name or str((function or {}).get("name") or "")
        more = str((function or {}).get("arguments") or "")
        self._count(more)
        call.arguments += more

    def _count(self, text: str) -> None:
        self._length += len(text)
        if self._length > LONGEST_ANSWER or len(self._calls) > MOST_CALLS:
            raise ProviderError("The endpoint's answer went on without an end.", is_temporary=False)

    def _finished_calls(self) -> Iterator[ToolCall]:
        for number, call in sorted(self._calls.items()):
            yield ToolCall(call.id or f"call-{number}", call.name, call.arguments or "{}")


def complaint(event: Mapping[str, Any]) -> str:
    """What an endpoint says in its own words, on one line."""
    error = event.get("error", event)
    words = error.get("message") if isinstance(error, Mapping) else error
    return shortened(storable(str(words or "it did not say why")), 300)


def code(event: Mapping[str, Any]) -> str:
    error = event.get("error")
    return str(error.get("code") or error.get("type") or "") if isinstance(error, Mapping) else ""


def _object(data: str) -> Mapping[str, Any]:
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        raise _unintelligible() from None
    if not isinstance(event, Mapping):
        raise _unintelligible()
    return event


def _usage(given: Any) -> Usage | None:
    if not isinstance(given, Mapping):
        return None
    counts = [given.get("prompt_tokens"), given.get("completion_tokens")]
    tokens = [count if isinstance(count, int) and count >= 0 else None for count in counts]
    return Usage(tokens[0] or 0, tokens[1] or 0) if any(count is not None for count in tokens) else None


def _unintelligible() -> ProviderError:
    return ProviderError(
        "The endpoint's stream can't be understood; base_url has to be that of an OpenAI-compatible API.",
        is_temporary=True,
    )

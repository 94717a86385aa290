"""The provider that needs neither network nor key, so that everything can be tried."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from service.chat.providers.talk import Chunk, Request, Tool, ToolCall
from service.chat.text import shortened


class Offline:
    """Says the same to the same question, and never pretends to be a model. It uses a tool when the question names
    one; JSON behind the name becomes its arguments: `add {"a": 1, "b": 2}`."""

    def stream(self, request: Request) -> Iterator[Chunk]:
        call = _call(request)
        if call:
            yield call
            return
        for number, word in enumerate(_answer(request).split(" ")):
            yield word if number == 0 else f" {word}"


def _call(request: Request) -> ToolCall | None:
    if not request.may_call or request.history[-1].role != "user":
        return None
    named = (_asked_for(tool, request.question) for tool in request.tools)
    return next((call for call in named if call), None)


def _asked_for(tool: Tool, question: str) -> ToolCall | None:
    short = tool.name.rpartition("__")[2]  # without the server's name before it
    found = re.search(rf"\b(?:{re.escape(tool.name)}|{re.escape(short)})\b", question)
    return ToolCall(f"offline-{tool.name}", tool.name, _arguments(question[found.end() :])) if found else None


def _arguments(rest: str) -> str:
    begin = rest.find("{")
    try:
        _value, end = json.JSONDecoder().raw_decode(rest, begin)
    except (ValueError, RecursionError):
        return "{}"
    return rest[begin:end]


def _answer(request: Request) -> str:
    sentences = [
        f"You wrote: “{shortened(request.question, 200)}”.",
        "I am the offline provider: I answer without a model and without a network.",
    ]
    if request.system_prompt.strip():
        sentences.append(f"My instructions begin: “{shortened(request.system_prompt, 120)}”.")
    sentences += [
        f"The tool said: “{shortened(turn.content, 200)}”." for turn in request.history if turn.role == "tool"
    ]
    sentences.append("Choose another provider in the chatbot's settings to get real answers.")
    return " ".join(sentences)

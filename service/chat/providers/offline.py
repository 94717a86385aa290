"""The provider that needs neither network nor key, so that everything can be tried."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from service.chat.text import shortened

if TYPE_CHECKING:
    from service.chat.providers import Request


class Offline:
    """Says the same to the same question, and never pretends to be a model."""

    def stream(self, request: Request) -> Iterator[str]:
        for number, word in enumerate(_answer(request).split(" ")):
            yield word if number == 0 else f" {word}"


def _answer(request: Request) -> str:
    sentences = [
        f"You wrote: “{shortened(request.question, 200)}”.",
        "I am the offline provider: I answer without a model and without a network.",
    ]
    if request.system_prompt.strip():
        sentences.append(f"My instructions begin: “{shortened(request.system_prompt, 120)}”.")
    sentences.append("Choose another provider in the chatbot's settings to get real answers.")
    return " ".join(sentences)

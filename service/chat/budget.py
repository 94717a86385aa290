"""How much of what was said goes along with a question: as many of the newest turns as a budget of tokens allows."""

from __future__ import annotations

from collections.abc import Sequence

from service.chat.providers import Turn

# Each model counts in its own way, and their tables are megabytes to download. Four bytes of UTF-8 a token is about
# right for English and too many for most other languages: the estimate errs towards sending less.
BYTES_A_TOKEN = 4
TOKENS_A_TURN = 4  # the marks around each turn


def estimated(text: str) -> int:
    """About how many tokens the text is, rounded up."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_A_TOKEN)


def fitted(turns: Sequence[Turn], tokens: int) -> tuple[Turn, ...]:
    """The newest of the turns that fit together, in their order. None is shortened and none is left out in between:
    a model that sees half a talk must at least see it without holes."""
    kept = len(turns)
    for turn in reversed(turns):
        tokens -= estimated(turn.content) + TOKENS_A_TURN
        if tokens < 0:
            break
        kept -= 1
    return tuple(turns[kept:])

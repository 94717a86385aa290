"""A draft is tried: what it would answer, piece by piece. Nothing is written, and no database is needed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Any, Literal, NamedTuple

from service.admin.parts.display import count
from service.chat.cancel import Cancelled
from service.chat.outside import Outside
from service.chat.preview import preview
from service.chat.providers import Cut, ProviderError, Turn, Usage, built_in
from service.chat.retrieval import Retrieved
from service.chat.text import storable
from service.chat.tools import servers
from service.chat.tools.offer import Called
from service.config import Config

SECONDS = 60.0
# In each process of the panel: a trial holds one of its threads while it waits for a provider.
AT_ONCE = 2
TURNS_KEPT, LONGEST_TURN = 20, 20_000

_places = BoundedSemaphore(AT_ONCE)


class Event(NamedTuple):
    """A piece of the answer, a remark beside it, or why there is none."""

    kind: Literal["text", "remark", "error"]
    text: str


@dataclass(frozen=True)
class Answer:
    text: str
    remarks: tuple[str, ...]
    error: str


def events(config: Config, settings: Mapping[str, Any], turns: tuple[Turn, ...]) -> Iterator[Event]:
    """What comes of the last turn, as it comes; it always comes to an end. Tools do what they do, as they would for
    anybody else."""
    try:
        defined = servers.parse(config.mcp_servers)
    except servers.ServersError as error:
        yield Event("error", str(error))
        return
    if not _places.acquire(blocking=False):
        yield Event("error", "Others are trying their drafts at this moment. Wait a little, then try again.")
        return
    outside, deadline = Outside(config.api_keys, config.provider_urls, defined), time.monotonic() + SECONDS
    try:
        answer = preview(settings, turns, built_in(outside), outside, is_cancelled=lambda: time.monotonic() > deadline)
        for piece in answer:
            yield from _told(piece)
    except ProviderError as error:
        yield Event("error", str(error))
    except Cancelled:
        yield Event("error", f"The answer had no end after {SECONDS:g} s, so it was stopped.")
    finally:
        outside.close()
        _places.release()


def gathered(found: Iterable[Event]) -> Answer:
    parts: dict[str, list[str]] = {"text": [], "remark": [], "error": []}
    for event in found:
        parts[event.kind].append(event.text)
    return Answer("".join(parts["text"]).strip(), tuple(parts["remark"]), " ".join(parts["error"]))


def lines(found: Iterable[Event]) -> Iterator[str]:
    """For the script of the page: one event a line."""
    for event in found:
        yield json.dumps(event._asdict()) + "\n"


def written(turns: Iterable[Turn]) -> str:
    """What was said so far, for a hidden field: a draft's talk is kept nowhere else."""
    return json.dumps([[turn.role, turn.content] for turn in turns])


def read(text: str) -> tuple[Turn, ...]:
    """The other way; nothing where the field was tampered with."""
    try:
        said = json.loads(text or "[]")
        turns = tuple(Turn(role, content) for role, content in said)
    except (ValueError, TypeError, RecursionError):
        return ()
    is_usable = all(turn.role in ("user", "assistant") and isinstance(turn.content, str) for turn in turns)
    return (
        tuple(Turn(turn.role, storable(turn.content[:LONGEST_TURN])) for turn in turns[-TURNS_KEPT:])
        if is_usable
        else ()
    )


def _told(piece: Any) -> Iterator[Event]:
    if isinstance(piece, str):
        yield Event("text", piece)
    elif isinstance(piece, Usage):
        yield Event("remark", f"{piece.input_tokens:,} tokens in, {piece.output_tokens:,} out.")
    elif isinstance(piece, Called):
        outcome = piece.error or f"called, {piece.duration_ms:,} ms."
        yield Event("remark", f"{piece.server} · {piece.tool}: {outcome}")
    elif isinstance(piece, Cut):
        yield Event("remark", "Cut off: the answer reached the longest that is allowed.")
    elif isinstance(piece, Retrieved):
        found = f"Found for it: {count(len(piece.passages), 'passage')}."
        yield Event("remark", f"Without passages: {piece.error}" if piece.error else found)

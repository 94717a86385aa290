"""The provider for every endpoint that speaks OpenAI's chat protocol, over HTTP with server-sent events."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass

import httpx

from service.chat import options as settings
from service.chat.cancel import Cancelled
from service.chat.keyring import Refused, origin
from service.chat.loop import GLANCE
from service.chat.options import Options
from service.chat.outside import Outside
from service.chat.providers import sse, wire
from service.chat.providers.refusal import refusal
from service.chat.providers.talk import Chunk, ProviderError, Request

ATTEMPTS, LONGEST_PAUSE = 3, 2.0
LONGEST_STREAM, LONGEST_COMPLAINT = 20_000_000, 65_536  # bytes


@dataclass(frozen=True)
class Call:
    """One request, ready to be sent."""

    url: str
    headers: Mapping[str, str]
    content: bytes
    options: Options
    model: str


class OpenAI:
    """Tries again at once what failed before the first chunk, twice and with short pauses; what needs more patience is
    a temporary ProviderError, and whoever asked comes back later."""

    def __init__(self, outside: Outside, pause: float = 0.5) -> None:
        self._outside, self._keyring, self._pause = outside, outside.keyring, pause

    def stream(self, request: Request) -> Iterator[Chunk]:
        call = self._prepared(request)
        for attempt in range(1, ATTEMPTS + 1):
            has_begun = False
            try:
                for chunk in self._outside.loop.iterate(self._answer(call), request.is_cancelled):
                    has_begun = True
                    yield chunk
                return
            except ProviderError as error:
                pause = error.delay or self._pause * 2 ** (attempt - 1) * random.uniform(0.8, 1.2)  # noqa: S311
                if has_begun or not error.is_temporary or attempt == ATTEMPTS or pause > LONGEST_PAUSE:
                    raise
            _sleep(pause, request)

    def _prepared(self, request: Request) -> Call:
        if not request.model:
            raise ProviderError(
                "The provider openai needs the name of a model; give it in a new version of the chatbot.",
                is_temporary=False,
            )
        try:
            options = settings.read_config(request.config)
            headers = self._keyring.headers(options.key_name)
            url = f"{self._keyring.permit(options.base_url)}/chat/completions"
        except (settings.SettingError, Refused) as error:
            raise ProviderError(str(error), is_temporary=False) from error
        content = json.dumps(wire.body(request, options)).encode()
        return Call(url, headers | _HEADERS, content, options, request.model)

    async def _answer(self, call: Call) -> AsyncGenerator[Chunk, None]:
        where = origin(call.url)
        try:
            async with asyncio.timeout(call.options.timeout), aclosing(self._chunks(call)) as chunks:
                async for chunk in chunks:
                    yield chunk
        except TimeoutError as error:
            seconds = f"{call.options.timeout:g} s (config.timeout)"
            raise ProviderError(f"{where} did not finish its answer in {seconds}.", is_temporary=True) from error
        except httpx.TimeoutException as error:
            raise ProviderError(f"{where} did not answer in time.", is_temporary=True) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # The text of such an error may hold anything that the other side sent.
            raise ProviderError(f"{where} can't be reached: {type(error).__name__}.", is_temporary=True) from error

    async def _chunks(self, call: Call) -> AsyncGenerator[Chunk, None]:
        post = self._outside.http.stream("POST", call.url, headers=dict(call.headers), content=call.content)
        async with post as response:
            if not _streams(response):
                text = self._keyring.redacted(await _beginning(response))
                raise refusal(response.status_code, response.headers, text, call.options, call.model)
            async for chunk in self._read(response):
                yield chunk

    async def _read(self, response: httpx.Response) -> AsyncGenerator[Chunk, None]:
        reader, decoder, length = wire.Reader(), sse.Decoder(), 0
        try:
            async for piece in response.aiter_raw():
                length += len(piece)
                if length > LONGEST_STREAM:
                    raise sse.TooLong
                for event in decoder.feed(piece):
                    for chunk in reader.read(self._keyring.redacted(event)):
                        yield chunk
                if reader.is_done:
                    break
        except sse.TooLong:
            raise ProviderError("The endpoint's answer went on without an end.", is_temporary=False) from None
        for chunk in reader.end():
            yield chunk


# Compressed events would arrive late, and could grow to any size.
_HEADERS = {"Content-Type": "application/json", "Accept": "text/event-stream", "Accept-Encoding": "identity"}


def _streams(response: httpx.Response) -> bool:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_plain = response.headers.get("content-encoding", "identity").lower() == "identity"
    return response.status_code == 200 and kind == "text/event-stream" and is_plain


async def _beginning(response: httpx.Response) -> str:
    read = b""
    async for piece in response.aiter_raw():
        read += piece
        if len(read) > LONGEST_COMPLAINT:
            break
    return read[:LONGEST_COMPLAINT].decode("utf-8", "replace")


def _sleep(seconds: float, request: Request) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if request.is_cancelled():
            raise Cancelled
        time.sleep(min(left, GLANCE))

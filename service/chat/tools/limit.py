"""What a server over HTTP sends must not fill the memory: `mcp` reads JSON whole, however long, and unpacks what is
compressed. This module needs `httpx2`, so it is imported with the first session."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2

LONGEST = 20_000_000  # bytes of one response; of a stream of events, mcp limits each event


async def limit(response: httpx2.Response) -> None:
    """A hook for each response, before it is read."""
    if response.headers.get("content-encoding", "identity") != "identity":
        raise httpx2.RemoteProtocolError("It compresses its answers although it was asked not to.")
    if not response.headers.get("content-type", "").startswith("text/event-stream"):
        assert isinstance(response.stream, httpx2.AsyncByteStream)  # for mypy: the client is an asynchronous one
        response.stream = _Limited(response.stream)


class _Limited(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = LONGEST
        async for piece in self._stream:
            left -= len(piece)
            if left < 0:
                raise httpx2.RemoteProtocolError(f"It sent more than {LONGEST:,} bytes.")
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()

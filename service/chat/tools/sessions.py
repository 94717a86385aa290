"""Sessions with MCP servers, kept open between answers. Everything here runs on the loop; `mcp` is imported with the
first session, since a worker without tools needs none of its half second."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service.chat.text import shortened, storable
from service.chat.tools.servers import Server

if TYPE_CHECKING:
    import httpx2
    from mcp import Client
    from mcp.types import CallToolResult

CONNECTING, LISTED_FOR = 20.0, 300.0  # seconds
MOST_SESSIONS, MOST_TOOLS, MOST_PAGES = 20, 64, 10
LONGEST_RESULT, LONGEST_DESCRIPTION = 20_000, 2_000  # characters


class ToolError(Exception):
    """A server could not be reached, or a tool did not do what it was asked for. The text is for operator and model."""


@dataclass(frozen=True)
class Listed:
    """A tool as its server lists it."""

    name: str
    description: str
    parameters: Mapping[str, Any]


class Sessions:
    """One for each server, begun with the first use and again after any failure: a server that hung or died is not
    trusted to go on."""

    def __init__(self) -> None:
        self._open: dict[Server, _Session] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def tools(self, server: Server) -> tuple[Listed, ...]:
        """What the server can do, asked anew every few minutes."""
        async with self._session(server, CONNECTING) as session:
            return await session.tools()

    async def call(self, server: Server, tool: str, arguments: Mapping[str, Any], seconds: float) -> str:
        async with self._session(server, seconds) as session:
            return await session.call(tool, arguments)

    async def close(self) -> None:
        sessions, self._open = list(self._open.values()), {}
        await asyncio.gather(*(session.close() for session in sessions), *self._closing)

    @contextlib.asynccontextmanager
    async def _session(self, server: Server, seconds: float) -> AsyncIterator[_Session]:
        """Within the time; whatever fails in it ends the session, and is a ToolError."""
        session = self._open.pop(server, None) or _Session(server)
        self._open[server] = session  # the one that was used last stands last
        try:
            async with asyncio.timeout(seconds):
                yield session
        except ToolError:
            raise
        except TimeoutError:
            self._drop(server, session)
            raise ToolError(f"{server.name} did not answer in {seconds:g} s.") from None
        except Exception as error:  # mcp, its transports and its validation raise anything
            self._drop(server, session)
            raise ToolError(f"{server.name} failed: {_words(error)}") from error
        if len(self._open) > MOST_SESSIONS:
            self._drop(*next(iter(self._open.items())))

    def _drop(self, server: Server, session: _Session) -> None:
        """Nobody waits until it is closed, which takes its time with a server that hangs."""
        if self._open.get(server) is session:
            del self._open[server]
        closing = asyncio.create_task(session.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)


class _Session:
    """A task of its own holds the connection open: it has to be closed by the task that opened it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._client: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._is_over = asyncio.Event()
        self._task = asyncio.create_task(self._hold())
        self._tools: tuple[Listed, ...] = ()
        self._listed_until = 0.0

    async def tools(self) -> tuple[Listed, ...]:
        if time.monotonic() >= self._listed_until:
            self._tools = await self._list(await asyncio.shield(self._client))
            self._listed_until = time.monotonic() + LISTED_FOR
        return self._tools

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> str:
        client = await asyncio.shield(self._client)
        result = await client.call_tool(tool, dict(arguments))
        text = _text(result)
        if result.is_error:
            raise ToolError(text or "The tool failed without a word.")
        return text

    async def close(self) -> None:
        """The task is told, and not cancelled: it ends a server's process politely, then by force, and that must not
        be broken off. It takes some 2 s at most."""
        self._is_over.set()
        if not self._client.done():
            self._task.cancel()
        await asyncio.wait([self._task])

    async def _hold(self) -> None:
        try:
            async with _connected(self._server) as client:
                self._client.set_result(client)
                await self._is_over.wait()
        except (Exception, asyncio.CancelledError) as error:
            if not self._client.done():
                self._client.set_exception(_cause(error))
                self._client.exception()  # it may be that nobody asks for it any more

    async def _list(self, client: Client) -> tuple[Listed, ...]:
        found: list[Listed] = []
        cursor: str | None = None
        for _page in range(MOST_PAGES):
            page = await client.list_tools(cursor=cursor, cache_mode="bypass")
            found += [Listed(tool.name, _description(tool.description), tool.input_schema) for tool in page.tools]
            cursor = page.next_cursor
            if cursor is None or len(found) >= MOST_TOOLS:
                break
        return tuple(found[:MOST_TOOLS])


@contextlib.asynccontextmanager
async def _connected(server: Server) -> AsyncIterator[Client]:
    from mcp import Client, StdioServerParameters
    from mcp.client.stdio import stdio_client
    from mcp.client.streamable_http import streamable_http_client

    # It logs what it can't read in full, and that may be what people said; so may what a server writes to stderr.
    logging.getLogger("mcp").setLevel(logging.CRITICAL + 1)
    async with contextlib.AsyncExitStack() as stack:
        if server.command:
            program, *arguments = server.command
            nowhere = stack.enter_context(Path(os.devnull).open("w"))  # noqa: SIM115  # the stack closes it
            started = StdioServerParameters(command=program, args=arguments, env=dict(server.env), cwd=server.cwd)
            transport = stdio_client(started, errlog=nowhere)
        else:
            transport = streamable_http_client(server.url, http_client=await stack.enter_async_context(_http(server)))
        yield await stack.enter_async_context(Client(transport))


def _http(server: Server) -> httpx2.AsyncClient:
    import httpx2

    from service.chat.tools.limit import limit

    headers = {**dict(server.headers), "Accept-Encoding": "identity"}
    patience = httpx2.Timeout(CONNECTING, read=None)  # of reading, each call has a limit of its own
    return httpx2.AsyncClient(headers=headers, timeout=patience, event_hooks={"response": [limit]})


def _description(text: str | None) -> str:
    return storable(text or "")[:LONGEST_DESCRIPTION]


def _text(result: CallToolResult) -> str:
    """What a model can read of it."""
    parts = [getattr(block, "text", None) or f"[{block.type}]" for block in result.content]
    if not parts and result.structured_content is not None:
        parts = [json.dumps(result.structured_content, ensure_ascii=False)]
    return _limited(storable("\n".join(parts)))


def _limited(text: str) -> str:
    if len(text) <= LONGEST_RESULT:
        return text
    return f"{text[:LONGEST_RESULT]}\n… (cut: it has {len(text):,} characters)"


def _cause(error: BaseException) -> Exception:
    """The first error of a group, which is what went wrong; the others followed from it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error if isinstance(error, Exception) else ConnectionError("it was stopped")


def _words(error: BaseException) -> str:
    cause = _cause(error)
    return shortened(storable(str(cause)), 300) or type(cause).__name__

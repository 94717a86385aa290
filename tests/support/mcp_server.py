"""A real MCP server of the tests, over stdio or HTTP, whose tools do well, badly and worse:

    python -m tests.support.mcp_server            over stdio
    python -m tests.support.mcp_server PORT_FILE  over HTTP, for who sends the key

A line in the file TEST_LOG tells of each start and of each call."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from tests.support.mcp_known import HUGE, KEY

server = MCPServer("tests")
log = Path(os.environ.get("TEST_LOG", os.devnull))


def note(event: str) -> None:
    with log.open("a") as file:
        file.write(f"{event} {os.getpid()}\n")


@server.tool(description="Adds two numbers.")
def add(a: int, b: int) -> str:
    note("add")
    return str(a + b)


@server.tool(name="what.is/set?", description="Which variables this process has.")
def variables() -> str:
    return " ".join(sorted(os.environ))


@server.tool()
def fail() -> str:
    raise ToolError("The shelf is empty.")


@server.tool(structured_output=False)
def huge() -> str:
    return "x" * HUGE


@server.tool()
def hang() -> str:
    note("hang")
    time.sleep(600)
    return "late"


@server.tool()
def die() -> str:
    note("die")
    os._exit(7)


@server.tool()
def broken() -> str:
    return "a\x00b"


@server.tool()
def gossip() -> str:
    sys.stderr.write("what somebody said\n")
    return f"You sent {KEY}."


Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


def serve(port_file: Path) -> None:
    import uvicorn

    inner = server.streamable_http_app()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope.get("headers", ()))
        if scope["type"] == "http" and headers.get(b"authorization") != f"Bearer {KEY}".encode():
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b"Who are you?"})
            return
        await inner(scope, receive, send)

    listening = socket.create_server(("127.0.0.1", 0))
    port_file.write_text(str(listening.getsockname()[1]))
    uvicorn.Server(uvicorn.Config(app, log_level="critical")).run(sockets=[listening])


if __name__ == "__main__":
    note("start")
    if len(sys.argv) > 1:
        serve(Path(sys.argv[1]))
    else:
        server.run("stdio")

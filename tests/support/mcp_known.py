"""What the MCP server of the tests and its clients both know, without the import of `mcp`: it takes half a second."""

from __future__ import annotations

KEY = "key-of-the-tools-that-must-stay-secret"
HUGE = 10_000_000

"""Server-sent events out of bytes, however those were cut on their way (html.spec.whatwg.org, "Server-sent events")."""

from __future__ import annotations

import re

# A line that is longer than any answer needs is an attack or a mistake.
LONGEST = 1_000_000
# A CR at the end may be the first half of a CRLF, so it waits for what follows.
_LINE_END = re.compile(rb"\r\n|\n|\r(?!\n|\Z)")


class TooLong(Exception):
    """A line or an event went on and on."""


class Decoder:
    """Takes pieces of a stream and gives the data of each event that is complete; of fields, only `data` counts."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[str] = []

    def feed(self, piece: bytes) -> list[str]:
        *lines, self._rest = _LINE_END.split(self._rest + piece)
        events = [event for line in lines if (event := self._line(line)) is not None]
        if len(self._rest) + sum(map(len, self._data)) > LONGEST:
            raise TooLong
        return events

    def _line(self, line: bytes) -> str | None:
        """Whole lines only are decoded: a character may have been cut in two between pieces."""
        if line:
            name, _, value = line.decode("utf-8", "replace").partition(":")
            if name == "data":
                self._data.append(value.removeprefix(" "))
            return None
        data, self._data = self._data, []
        return "\n".join(data) if data else None

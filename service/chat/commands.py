"""The commands that a person may write instead of a message: `/persona Pirate`, or `/help@SomeBot` in a group."""

from __future__ import annotations

import re
from typing import NamedTuple

# Name and purpose, in the order in which they are shown.
COMMANDS = {
    "help": "what I can do",
    "persona": "choose who answers",
    "reset": "forget our talk and begin a new one",
    "start": "say hello",
}
# A path such as /etc/hosts is no command, and neither is a lone slash.
_SHAPE = re.compile(r"/(?P<name>[a-z0-9_]{1,32})(?:@(?P<addressee>[a-z0-9_]+))?(?:\s+(?P<argument>.*))?", re.I | re.S)


class Command(NamedTuple):
    """The name in lower case. `addressee` is the bot that is meant, where somebody says so."""

    name: str
    argument: str = ""
    addressee: str = ""

    @property
    def is_known(self) -> bool:
        return self.name in COMMANDS


def parse(text: str) -> Command | None:
    """The command that the text is, if it is one."""
    found = _SHAPE.fullmatch(text.strip())
    if found is None:
        return None
    argument = " ".join((found["argument"] or "").split())
    return Command(found["name"].lower(), argument, found["addressee"] or "")

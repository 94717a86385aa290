"""What a migration says of itself at the top of its file, and what it may have meant to say: a flag that is passed over
in silence is found out on the day when it matters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

# What differs from saying nothing.
_MEANT = {"atomic": "false", "breaking": "true"}
_KNOWN = (*_MEANT, "touches")
# A name at the top level of a file in Python: its line, itself, and its value; None for what is no literal.
Assigned = tuple[int, str, Any]
# A comment that says something of one word. A pattern that begins with a text is looked for ten times as fast as one
# that begins with a line.
_SAID = re.compile(
    r"--[ \t]*(?P<key>[^\W\d]\w*)"
    r"(?:[ \t]*(?P<mark>[:=])[ \t]*(?P<value>.*?)|[ \t]+(?P<bare>true|false))[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_NAMES = re.compile(r'(?<=")[^"]+(?=")|\w+')
# Files of other runners hold both ways in one, of which ours would go both.
_OF_OTHERS = re.compile(r"--[ \t]*(?P<mark>migrate:(?:up|down)|\+(?:goose|migrate)[ \t]+\w+)")


class Mistake(NamedTuple):
    """`what` is wrong in which line of the file, from 1, and the remedy."""

    line: int
    what: str
    remedy: str


class Flags(NamedTuple):
    atomic: bool = True
    breaking: bool = False
    touches: frozenset[str] = frozenset()
    mistakes: tuple[Mistake, ...] = ()


def of_sql(text: str) -> Flags:
    if "--" not in text:
        return Flags()
    found = _lines(_SAID, text)
    said = {match["key"].lower(): match["value"] for match in found if match["mark"]}
    return Flags(
        said.get("atomic", "").lower() != "false",
        said.get("breaking", "").lower() == "true",
        frozenset(_NAMES.findall(said.get("touches", "").lower())),
        (*_misspelt(found, text), *_of_others(text)),
    )


def of_python(assigned: Sequence[Assigned]) -> Flags:
    said = {name: value for _, name, value in assigned}
    touches = said.get("touches")
    return Flags(
        said.get("atomic", True) is not False,
        said.get("breaking") is True,
        frozenset(str(name).lower() for name in touches) if isinstance(touches, list | tuple) else frozenset(),
        tuple(_misassigned(assigned)),
    )


def _misspelt(found: Sequence[re.Match[str]], text: str) -> Iterator[Mistake]:
    for match in found:
        key = match["key"].lower()
        wrong = _wrong(key, match["value"]) if match["mark"] else _without_mark(key)
        if not wrong and _is_at_top(text, match.start()):  # further down it is nothing but a comment
            wrong = _unknown(key, "`-- {}: …`")
        if wrong:
            yield Mistake(_line(text, match.start("key")), *wrong)


def _wrong(key: str, value: str) -> tuple[str, str] | None:
    if key in _MEANT and value.lower() not in ("true", "false"):
        return f"{key} is true or false, not {value!r}", f"Write `-- {key}: {_MEANT[key]}`, or take the line out."
    if key == "touches" and not _NAMES.search(value):
        return "touches names no table", "Write `-- touches: TABLE, …`, or take the line out."
    return None


def _without_mark(key: str) -> tuple[str, str] | None:
    return (f"{key} lacks its colon", f"Write `-- {key}: {_MEANT[key]}`.") if key in _MEANT else None


def _unknown(name: str, flag: str) -> tuple[str, str] | None:
    meant = next((known for known in _KNOWN if _is_near(name, known)), "")
    return (f"{name} is no flag", f"Did you mean {flag.format(meant)}? Else call it otherwise.") if meant else None


def _of_others(text: str) -> Iterator[Mistake]:
    for match in _lines(_OF_OTHERS, text)[:1]:
        what = f"`-- {match['mark']}` is another runner's, and ours would run both ways, one after the other"
        remedy = "Take such lines out, and put what undoes the migration into a .down.sql beside it."
        yield Mistake(_line(text, match.start("mark")), what, remedy)


def _misassigned(assigned: Sequence[Assigned]) -> Iterator[Mistake]:
    for line, name, value in assigned:
        if name in _MEANT and not isinstance(value, bool):
            remedy = f"Write `{name} = {_MEANT[name].capitalize()}`, or take the line out."
            yield Mistake(line, f"{name} is True or False, and nothing else", remedy)
        elif name == "touches" and not isinstance(value, list | tuple):
            yield Mistake(line, "touches is a list of names", 'Write `touches = ["TABLE", …]`.')
        elif isinstance(value, bool | list | tuple) and (wrong := _unknown(name, "`{} = …`")):
            yield Mistake(line, *wrong)


def _lines(pattern: re.Pattern[str], text: str) -> list[re.Match[str]]:
    """Where it stands at the beginning of a line."""
    return [
        match
        for match in pattern.finditer(text)
        if not text[text.rfind("\n", 0, match.start()) + 1 : match.start()].strip()
    ]


def _is_at_top(text: str, position: int) -> bool:
    return all(not line.strip() or line.lstrip().startswith("--") for line in text[:position].splitlines())


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _is_near(word: str, known: str) -> bool:
    """A letter is missing, too much, another one, or in another place."""
    return word != known and not _without_one(word).isdisjoint(_without_one(known))


def _without_one(word: str) -> set[str]:
    return {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}

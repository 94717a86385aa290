"""A CREATE TABLE of SQLite's, taken apart and put together again without losing a word of what is not changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

# Comments and everything quoted are one token; so is a word, a run of white space, or any other single character.
_TOKEN = re.compile(
    r"--[^\n]*\n?|/\*.*?(?:\*/|\Z)|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`(?:[^`]|``)*`|\[[^\]]*\]|\w+|\s+|.", re.DOTALL
)
_TABLE_CONSTRAINTS = {"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"}
_CLAUSES = {
    "CONSTRAINT",
    "PRIMARY",
    "NOT",
    "NULL",
    "UNIQUE",
    "CHECK",
    "DEFAULT",
    "COLLATE",
    "REFERENCES",
    "GENERATED",
    "AS",
}
# A word that begins a clause, except right after one of these, where it belongs to the clause before.
_CONTINUES = {"NULL": {"NOT", "SET", "DEFAULT"}, "DEFAULT": {"SET"}, "AS": {"ALWAYS"}}


@dataclass(frozen=True)
class Definition:
    """One line of a CREATE TABLE: a column, or with an empty name a constraint of the table."""

    text: str

    @property
    def name(self) -> str:
        first = next(_words(self.text), "")
        return "" if first.upper() in _TABLE_CONSTRAINTS else unquote(first)

    @property
    def foreign_key_column(self) -> str:
        """The column of a FOREIGN KEY constraint over one column, else empty."""
        pattern = r"(?:CONSTRAINT\s+\S+\s+)?FOREIGN\s+KEY\s*\(\s*(\"[^\"]+\"|`[^`]+`|\[[^\]]+\]|\w+)\s*\)"
        match = re.match(pattern, without_comments(self.text).strip(), re.IGNORECASE)
        return unquote(match[1]) if match else ""

    @property
    def constraint_name(self) -> str:
        words = list(_words(self.text))
        return unquote(words[1]) if words[:1] and words[0].upper() == "CONSTRAINT" else ""


@dataclass(frozen=True)
class Table:
    """`head` up to the opening parenthesis, the definitions, `tail` from the closing one (STRICT, WITHOUT ROWID)."""

    head: str
    definitions: tuple[Definition, ...]
    tail: str

    def sql(self, name: str) -> str:
        """The statement for a table of another name."""
        body = ",".join(definition.text for definition in self.definitions)
        return f'CREATE TABLE "{name}" ({body}{self.tail}'

    def column(self, name: str) -> Definition:
        """Raises LookupError where the table has no such column."""
        for definition in self.definitions:
            if definition.name.lower() == name.lower():
                return definition
        raise LookupError(f'the table has no column "{name}"')

    def with_column(self, name: str, text: str) -> Table:
        """The same table with one column's definition replaced."""
        old = self.column(name)
        return replace(self, definitions=tuple(Definition(text) if one is old else one for one in self.definitions))

    def without(self, *dropped: Definition) -> Table:
        return replace(self, definitions=tuple(one for one in self.definitions if one not in dropped))

    def plus(self, text: str) -> Table:
        """With one more constraint, which SQLite wants after the columns."""
        return replace(self, definitions=(*self.definitions, Definition(f" {text}")))


def parse(sql: str) -> Table:
    """Take a CREATE TABLE statement apart."""
    start = position = depth = 0
    head, pieces = "", []
    for lexeme in _TOKEN.findall(sql):
        position += len(lexeme)
        if lexeme == "(":
            depth += 1
            if depth == 1:
                head, start = sql[:position], position
        elif lexeme == ")":
            depth -= 1
            if depth == 0:
                pieces.append(Definition(sql[start : position - 1]))
                return Table(head, tuple(pieces), sql[position - 1 :])
        elif lexeme == "," and depth == 1:
            pieces.append(Definition(sql[start : position - 1]))
            start = position
    raise ValueError("this is no CREATE TABLE with columns")


def clauses(definition: str) -> list[str]:
    """A column's definition as [name and type, clause, clause, …]; joined they are the definition again."""
    parts, depth, before, is_named = [""], 0, "", False
    for lexeme in _TOKEN.findall(definition):
        word = lexeme.upper()
        depth += (lexeme == "(") - (lexeme == ")")
        begins = depth == 0 and word in _CLAUSES and before not in _CONTINUES.get(word, ())
        if word == "NOT" and _is_deferrable(definition, parts, lexeme):
            begins = False
        if begins and not is_named:
            parts.append("")
        parts[-1] += lexeme
        if lexeme.strip() and not _is_comment(lexeme):
            # A name comes between CONSTRAINT and the clause that it names.
            is_named = word == "CONSTRAINT" or (is_named and before == "CONSTRAINT")
            before = word
    return parts


def without_clause(definition: str, *begins: str) -> str:
    """The definition without the clauses that begin with one of these words, named or not."""
    return "".join(part for number, part in enumerate(clauses(definition)) if not number or not _is(part, begins))


def has_clause(definition: str, begin: str) -> bool:
    return any(_is(part, (begin,)) for part in clauses(definition)[1:])


def with_clause(definition: str, clause: str) -> str:
    return f"{definition.rstrip(' ')} {clause}"


def unquote(name: str) -> str:
    if len(name) > 1 and (name[0], name[-1]) in (('"', '"'), ("`", "`"), ("[", "]"), ("'", "'")):
        return name[1:-1].replace(name[-1] * 2, name[-1])
    return name


def without_comments(text: str) -> str:
    return "".join(" " if _is_comment(lexeme) else lexeme for lexeme in _TOKEN.findall(text))


def _is(part: str, begins: tuple[str, ...]) -> bool:
    text = re.sub(r"\s+", " ", without_comments(part)).strip().upper()
    text = re.sub(r"^CONSTRAINT (\"[^\"]+\"|\S+) ", "", text)
    return text.startswith(begins)


def _is_deferrable(definition: str, parts: list[str], lexeme: str) -> bool:
    rest = definition[sum(map(len, parts)) + len(lexeme) :]
    return bool(re.match(r"\s+DEFERRABLE\b", rest, re.IGNORECASE))


def _is_comment(lexeme: str) -> bool:
    return lexeme.startswith(("--", "/*"))


def _words(text: str) -> Iterator[str]:
    return (lexeme for lexeme in _TOKEN.findall(text) if lexeme.strip() and not _is_comment(lexeme))

"""Is what is gone, and what is new beside it, one thing under another name? Nobody can see that from the models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from service.migrate.altering.shape import Column, Table, Tables
from service.migrate.drafting import names
from service.migrate.drafting.names import Renames
from service.migrate.errors import Refused

# Two tables that have half of their columns in common may be one under two names.
_ALIKE = 0.5


@dataclass(frozen=True)
class Wishes:
    """What the person said: `given` are words such as bots.mood=bots.feeling or bots=robots; with `none` whatever else
    looks like a rename is not one; `ask` asks about a pair, where there is somebody to ask."""

    given: tuple[str, ...] = ()
    none: bool = False
    ask: Callable[[str, str], bool] | None = None


@dataclass
class _Questions:
    wishes: Wishes
    used: set[str] = field(default_factory=set)
    open: list[tuple[str, str]] = field(default_factory=list)

    def is_rename(self, old: str, new: str) -> bool:
        if f"{old}={new}" in self.wishes.given:
            self.used.add(f"{old}={new}")
            return True
        if self.wishes.none:
            return False
        if self.wishes.ask is not None:
            return self.wishes.ask(old, new)
        self.open.append((old, new))
        return False


def settle(old: Tables, new: Tables, wishes: Wishes) -> Renames:
    """The renames between two sets of tables. Raises Refused where one is possible and nobody can be asked, and where
    one was named that is not possible."""
    questions = _Questions(wishes)
    tables = dict(_pairs(questions, _possible_tables(old, new, wishes.given)))
    columns: dict[tuple[str, str], str] = {}
    before = names.renamed(old, Renames(tables))
    for name in [name for name in new if name in before]:
        possible = [(f"{name}.{one}", f"{name}.{other}") for one, other in _possible_columns(before[name], new[name])]
        for one, other in _pairs(questions, possible):
            columns[(name, one.removeprefix(f"{name}."))] = other.removeprefix(f"{name}.")
    _refuse(questions)
    return Renames(tables, columns)


def _pairs(questions: _Questions, possible: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """Those of the possible pairs that are renames; what was given goes before what is asked."""
    taken: set[str] = set()
    for old, new in sorted(possible, key=lambda pair: "=".join(pair) not in questions.wishes.given):
        if old not in taken and f" {new}" not in taken and questions.is_rename(old, new):
            taken |= {old, f" {new}"}
            yield old, new


def _possible_tables(old: Tables, new: Tables, given: Sequence[str]) -> list[tuple[str, str]]:
    """The most alike first. Whoever names two tables knows that they are one."""
    gone = [table for name, table in old.items() if name not in new]
    made = [table for name, table in new.items() if name not in old]
    pairs = {(one.name, other.name): _likeness(one, other) for one in gone for other in made}
    possible = [pair for pair, likeness in pairs.items() if likeness >= _ALIKE or "=".join(pair) in given]
    return sorted(possible, key=lambda pair: -pairs[pair])


def _possible_columns(old: Table, new: Table) -> list[tuple[str, str]]:
    gone = [column for name, column in old.columns.items() if name not in new.columns]
    made = [column for name, column in new.columns.items() if name not in old.columns]
    return [(one.column, other.column) for one in gone for other in made if _are_alike(one, other)]


def _likeness(one: Table, other: Table) -> float:
    """The share of columns that are the same, from 0 to 1; a key that numbers the rows is in every table."""
    columns = [
        {(name, column.kinds) for name, column in table.columns.items() if not column.field.auto_increment}
        for table in (one, other)
    ]
    most = max(map(len, columns))
    return len(columns[0] & columns[1]) / most if most else 1.0


def _are_alike(one: Column, other: Column) -> bool:
    if one.reference or other.reference:
        targets = [column.reference and column.reference.table for column in (one, other)]
        return targets[0] == targets[1]
    return one.kinds == other.kinds or type(one.field) is type(other.field)


def _refuse(questions: _Questions) -> None:
    unused = [words for words in questions.wishes.given if words not in questions.used]
    if unused:
        raise Refused(
            f"--rename {unused[0]} names no column or table that is gone and a new one of the same type in its place; "
            "write it as bots.mood=bots.feeling, or for tables bots=robots."
        )
    if questions.open:
        raise Refused("\n".join(_sentence(old, new) for old, new in questions.open))


def _sentence(old: str, new: str) -> str:
    return (
        f"{old} is gone and {new} is new: if that is a rename, say --rename {old}={new}; "
        "if one is to be dropped with its data and the other added, say --no-rename."
    )

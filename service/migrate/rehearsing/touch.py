"""What a statement does to a table that is in use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

# From the weakest that somebody may notice to the strongest (PostgreSQL manual, "Table-Level Locks").
LOCKS = ("ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE")
# What is smaller is read or rewritten within about a second.
_LARGE_ROWS, _LARGE_BYTES = 100_000, 100_000_000


class Size(NamedTuple):
    """Of a live table, as the database estimates it; None where it has no idea."""

    rows: int | None = None
    bytes: int | None = None


@dataclass(frozen=True)
class Touch:
    """`lock` is the strongest one, in PostgreSQL's words, and empty on SQLite; `reads` is of the whole table."""

    table: str
    lock: str = ""
    rewrites: bool = False
    reads: bool = False
    rows: int | None = None
    bytes: int | None = None

    @property
    def is_large(self) -> bool:
        return (self.rows or 0) >= _LARGE_ROWS or (self.bytes or 0) >= _LARGE_BYTES

    @property
    def takes_long(self) -> bool:
        return self.is_large and (self.reads or self.rewrites)

    @property
    def words(self) -> str:
        """Its name, and how large it is: messages (about 1.2 million rows, 340 MB)."""
        parts = [f"about {_many(self.rows)}" if self.rows is not None else "", _much(self.bytes or 0)]
        size = ", ".join(filter(None, parts))
        return f"{self.table} ({size})" if size else self.table


@dataclass(frozen=True)
class Observed:
    """A statement, and what it was seen to do; `untried` says why nobody could look."""

    sql: str
    touches: tuple[Touch, ...] = ()
    untried: str = ""


def _many(rows: int) -> str:
    """To two digits: nobody has counted them."""
    if rows >= 1_000_000:
        return f"{rows / 1_000_000:,.1f} million rows"
    rounded = round(rows, min(0, 2 - len(str(rows))))
    return "1 row" if rows == 1 else f"{rounded:,} rows"


def _much(size: int) -> str:
    """Less than a megabyte is not worth a word."""
    if size >= 1_000_000_000:
        return f"{size / 1_000_000_000:.1f} GB"
    return f"{size // 1_000_000} MB" if size >= 1_000_000 else ""

"""Does a live schema have what migrations make? Decided from snapshots; touches nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass

from service.migrate.proving.snapshot import Snapshot, facts, shortened

# The line that says that a table or a schema is there: all that it has begins with the name of it, and a colon.
_WHOLE = re.compile(r"(schema [^:]+: )?table ([^:]+)|(schema [^:]+)")


@dataclass(frozen=True)
class Proof:
    """What was compared for one migration: things that it makes and that are there, or are not; things that it removes
    and that are there still. Where `compared` is 0 the schema can't say whether it ran."""

    migration: str
    compared: int
    missing: tuple[str, ...]
    left_over: tuple[str, ...]

    @property
    def is_refuted(self) -> bool:
        return bool(self.missing or self.left_over)

    @property
    def found(self) -> int:
        return self.compared - len(self.missing) - len(self.left_over)


def prove(migration: str, before: Snapshot, after: Snapshot, head: Snapshot, live: Snapshot) -> Proof:
    """Look in `live` for the effects of one migration. What a later one changes again (it is not in `head`) can't be
    looked for, since the live schema may be that far."""
    old, new, last, here = facts(before), facts(after), facts(head), facts(live)
    made, removed = (new - old) & last, (old - new) - last
    return Proof(migration, len(made) + len(removed), _essential(made - here), _essential(removed & here))


@dataclass(frozen=True)
class Detection:
    """The migrations that a live schema proves: `names` in order, `compared` things of theirs. `unproven` come right
    after them and change no table; `next_missing` is what the one after those would still have to make."""

    names: tuple[str, ...]
    compared: int
    unproven: tuple[str, ...]
    next_missing: tuple[str, ...]


def detect(names: Sequence[str], snapshots: Sequence[Snapshot], live: Snapshot) -> Detection:
    """The longest run of migrations from the first whose outcome is all there. `snapshots` has the one before the first
    migration and the one after each."""
    here = facts(live)
    states = [facts(snapshot) for snapshot in snapshots]
    reached = max(count for count, state in enumerate(states) if state <= here)
    proven = reached
    while proven and states[proven] == states[proven - 1]:
        proven -= 1  # a migration of data alone leaves the schema as it was: nothing shows that it ran
    beyond = states[reached + 1] - here if reached + 1 < len(states) else frozenset()
    return Detection(tuple(names[:proven]), len(states[proven]), tuple(names[proven:reached]), _essential(beyond))


def _essential(lines: Set[str]) -> tuple[str, ...]:
    """In order, and without what goes without saying: what belongs to a table or schema that is missing as a whole."""
    whole = {f"{''.join(filter(None, match.groups()))}: " for line in lines if (match := _WHOLE.fullmatch(line))}
    return tuple(sorted(shortened(line) for line in lines if not line.startswith(tuple(whole))))

"""Will it hold anybody up? Decided from what the statements of a migration were seen to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from service.migrate.rehearsing import ways
from service.migrate.rehearsing.touch import LOCKS, Observed, Touch

_TO_THE_END, _MEANWHILE = "until the migration ends", "until that is done"
_NAMED = 3
_ROWS = "ROW EXCLUSIVE"
_READS_AND_WRITES, _WRITES = "reads or writes", "writes"
# Which lock keeps others from what; under a weaker one they go on.
_KEEPS_FROM = {
    "ACCESS EXCLUSIVE": _READS_AND_WRITES,
    "EXCLUSIVE": _WRITES,
    "SHARE ROW EXCLUSIVE": _WRITES,
    "SHARE": _WRITES,
}


def told(seen: Sequence[Observed], *, atomic: bool, is_sqlite: bool) -> list[tuple[str, ...]]:
    """For each statement of one migration the sentences below it: none where nobody has to wait."""
    if is_sqlite:
        return [tuple(_untold(each) or _on_sqlite(each)) for each in seen]
    held: dict[str, str] = {}
    found = []
    for number, each in enumerate(seen, start=1):
        before = held if atomic else {}
        held = before | _taken(before, each.touches)
        is_followed = atomic and any(_takes_long(later) for later in seen[number:])
        found.append(tuple(_untold(each) or _on_postgresql(each, before, held, atomic=atomic, followed=is_followed)))
    return found


def _untold(each: Observed) -> list[str]:
    return [f"What this locks could not be tried: {each.untried}."] if each.untried else []


def _on_sqlite(each: Observed) -> Iterator[str]:
    """Nobody else writes while a migration runs, whatever it does: what counts is how long it takes."""
    for touch in each.touches:
        if touch.rewrites:
            yield f"Makes {touch.words} anew."
        elif touch.takes_long:
            yield f"Reads all of {touch.words}."


def _on_postgresql(
    each: Observed, before: Mapping[str, str], held: Mapping[str, str], *, atomic: bool, followed: bool
) -> Iterator[str]:
    until = _TO_THE_END if atomic else _MEANWHILE
    if work := [_work(touch) for touch in each.touches if touch.takes_long]:
        what = ", ".join([*work[:_NAMED], *(["and so on"] if len(work) > _NAMED else [])])
        if who := _kept_out(held):
            yield f"{what}: {who} {until}."
        elif changed := [touch.table for touch in each.touches if touch.lock == _ROWS]:
            yield f"{what}: the rows of {_either(changed)} that it changes stay locked {until}."
        yield from ways.better(each)
    elif who := _kept_out({table: lock for table, lock in held.items() if before.get(table) != lock}):
        yield f"{_capital(who)} {_TO_THE_END + '; what follows takes long' if followed else 'for a moment'}."


def _work(touch: Touch) -> str:
    return f"{'Rewrites' if touch.rewrites else 'Reads all of'} {touch.words}"


def _taken(held: Mapping[str, str], touches: Sequence[Touch]) -> dict[str, str]:
    """The locks that keep others out, where they are new or stronger than those that are held."""
    return {
        touch.table: touch.lock
        for touch in touches
        if touch.lock in _KEEPS_FROM and LOCKS.index(touch.lock) > LOCKS.index(held.get(touch.table, LOCKS[0]))
    }


def _takes_long(each: Observed) -> bool:
    return any(touch.takes_long for touch in each.touches)


def _kept_out(locks: Mapping[str, str]) -> str:
    """Nobody reads or writes messages, nobody writes chatbots or people."""
    parts = []
    for what in (_READS_AND_WRITES, _WRITES):
        if names := [table for table, lock in locks.items() if _KEEPS_FROM[lock] == what]:
            parts.append(f"nobody {what} {_either(names)}")
    return ", ".join(parts)


def _either(names: Sequence[str]) -> str:
    """A table may have hundreds of parts."""
    more = [f"{len(names) - _NAMED} more"] if len(names) > _NAMED + 1 else []
    return " or ".join([*names[:_NAMED], *more] if more else names)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]

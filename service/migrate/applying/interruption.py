"""What a person reads when a deploy was told to stop: in which migration, what of it stands, and how it goes on."""

from __future__ import annotations

from contextlib import suppress

from service.migrate import files
from service.migrate.applying.failure import Place, what_stands
from service.migrate.connection import Connection
from service.migrate.errors import Stopped
from service.migrate.history import History
from service.migrate.interrupt import Stop

_ENDS = {"deploy": "applied", "rollback": "undone"}


def told(stop: Stop, connection: Connection, history: History, place: Place) -> Stopped:
    """The signal may have come at any moment: within a statement, before its transaction was rolled back, or after it
    was committed."""
    _close_questions(stop)
    is_over = False
    for _ in range(2):  # the statement that the signal ends may be the first of these
        with suppress(Exception):
            connection.roll_back()
            history.close_abandoned(str(stop))
            is_over = history.has(place.file.name) == (place.command == "deploy")
            break
    return Stopped(place.file.name, f"{stop.words} {_where(place, is_over=is_over)}", stop.exit_code)


def _close_questions(stop: Stop) -> None:
    """One that was cut off before its answer was read is open for as long as anything remembers its cursor, and as long
    as it is open SQLite interrupts all others."""
    import traceback  # here: hardly any deploy is told to stop

    error: BaseException | None = stop
    while error:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def _where(place: Place, *, is_over: bool) -> str:
    name, again = place.file.name, f"the next `migrate {place.command}`"
    if is_over:
        return f"after {name}, which is {_ENDS[place.command]}; {again} goes on from there."
    name = f"the rollback of {name}" if place.command == "rollback" else name
    if place.has_ended:
        then = "see `migrate status`" if place.command == "rollback" else f"undo that before {again}"
        then = f"{again} says what to do" if place.total else then
        return f"in {name}, which had ended its own transaction: {what_stands(place).removesuffix('.')}; {then}."
    if files.outline(place.file).atomic:
        return f"in {name}; what it did was rolled back, and {again} does it anew."
    if not (place.done or (place.tally and place.tally.done)):
        return f"in {name}; nothing of it stands yet, and {again} begins with it."
    step = f", step {place.done + 1} of {place.total}" if place.total else ""
    return f"in {name}{step}; {what_stands(place)}"

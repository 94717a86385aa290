"""What a glance says as the whole way does, in the very same words. It imports next to nothing."""

from datetime import UTC, datetime

UP_TO_DATE = "Database schema is up to date!"
_MARKS = {"applied": "✓", "pending": "·", "changed": "!", "missing": "!", "half": "!", "ahead": "+"}


def running(database: str) -> str:
    return f"Running database migrations on {database}"


def nothing_to_do(applied: int, newest: str) -> str:
    return f"{UP_TO_DATE} {count(applied, 'migration')}, the newest is {newest}."


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def migration(
    name: str,
    state: str,
    applied_at: datetime | None,
    duration_ms: int | None,
    origin: str | None,
    waited_ms: int | None,
) -> str:
    """Its line in the table of `migrate status`."""
    when = applied_at.isoformat(" ", "seconds") if applied_at else ""
    # SQLite lets anybody write anything into a column of numbers.
    took = duration(duration_ms / 1000) if isinstance(duration_ms, int) else ""
    by = "" if origin in (None, "deploy") else f"by {origin}"
    waited = f"waited {duration(waited_ms / 1000)} of it" if waited_ms and isinstance(waited_ms, int) else ""
    return f"  {_MARKS[state]} {name:<45} {state:<8} {when:<19} {took:>7} {by or waited}".rstrip()


def duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def moment(value: object) -> datetime | None:
    """In UTC; None where somebody else's history holds something that is no time."""
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found

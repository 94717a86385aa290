"""The driver of PostgreSQL, imported in two thirds of the time. It imports nothing else."""

import sys


def bring_in() -> None:
    """Import psycopg2 as on a Python without OpenSSL. It looks for `ssl` only to tell libpq who prepares OpenSSL for
    several threads, which has needed no preparing since OpenSSL 1.1.0; encrypted connections are libpq's own. Whoever
    needs `ssl` later imports it as ever. Call while the process has one thread, or psycopg2 already."""
    if sys.modules.keys() & {"psycopg2", "ssl"}:
        return
    sys.modules["ssl"] = None  # type: ignore[assignment]  # what Python takes for: there is none
    try:
        import psycopg2  # noqa: F401
    finally:
        del sys.modules["ssl"]

"""The driver's cursor as a migration in Python gets it on PostgreSQL: it rolls nothing back that is the runner's."""

from __future__ import annotations

from typing import Any

from psycopg2 import extensions
from psycopg2.sql import Composable

from service.migrate.applying.recorded import HAS_ENDED, Recorded, refuse_to_roll_back
from service.migrate.errors import Refused


class _Guarded(extensions.cursor):
    database: Recorded

    def execute(self, query: Any, vars: Any = None) -> None:
        is_idle = self.connection.info.transaction_status == extensions.TRANSACTION_STATUS_IDLE
        if self.database.is_held and is_idle:
            raise Refused(HAS_ENDED)  # by a way that no cursor has seen
        text = query.as_string(self) if isinstance(query, Composable) else query
        refuse_to_roll_back(self.database, text.decode() if isinstance(text, bytes) else text)
        super().execute(query, vars)


def cursor(database: Recorded, *arguments: Any, **named: Any) -> _Guarded:
    """What the driver calls to make one."""
    made = _Guarded(*arguments, **named)
    made.database = database
    return made

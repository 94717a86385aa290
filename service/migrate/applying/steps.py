"""What a migration asks for, step by step; and the one verb that asks for no more than SQL."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

from service.migrate.applying import statements

if TYPE_CHECKING:
    from service.migrate.altering.verbs import Migrator
    from service.migrate.backfilling.backfill import Backfill


class Step(NamedTuple):
    """One operation that a migration asked for, and the line of its file that did; `backfill` commits by itself."""

    run: Callable[[], Any]
    line: int
    sql: str = ""
    backfill: Backfill | None = None


class Steps(list[Any]):
    """What peewee_migrate takes for its plain list of operations: notes where each one came from."""

    def __init__(self, place: str) -> None:
        super().__init__()
        self._place = place

    def append(self, operation: Any) -> None:
        """A function, or an operation of playhouse's, which can only be run."""
        run = operation if callable(operation) else operation.run
        super().append(Step(run, line_of(sys._getframe(1), self._place), getattr(run, "sql", "")))

    def extend(self, operations: Any) -> None:
        for operation in operations:
            self.append(operation)


class Verbs:
    """What the body of a migration gets. peewee_migrate takes as long to import as a dozen migrations take to run, so
    that it is brought in by the first verb that needs it; after that, the `whole` of it goes on."""

    def __init__(self, database: Any, whole: Callable[[], Migrator], *, is_sqlite: bool) -> None:
        self._database, self._make, self._is_sqlite = database, whole, is_sqlite
        self._whole: Migrator | None = None
        self._steps = Steps("")

    def begin(self, place: str) -> Steps:
        """Start collecting the steps that the code of a file asks for."""
        self._steps = Steps(place)
        if self._whole:
            self._whole.begin(self._steps)
        return self._steps

    def sql(self, sql: str, *params: Any) -> None:
        """Run SQL as it stands: several statements are welcome, and a literal % where there are no parameters."""
        add_sql(self._steps, self._database, sql, params, is_sqlite=self._is_sqlite)

    def __getattr__(self, name: str) -> Any:
        if self._whole is None:
            self._whole = self._make()
            self._whole.begin(self._steps)
        return getattr(self._whole, name)


class Execute:
    """One statement without parameters; nothing in it is interpolated."""

    def __init__(self, database: Any, sql: str) -> None:
        self.database, self.sql = database, sql

    def __call__(self) -> None:
        self.database.execute_sql(self.sql, None)


def add_sql(steps: Steps, database: Any, sql: str, params: tuple[Any, ...], *, is_sqlite: bool) -> None:
    """A step for each statement."""
    if params:
        steps.append(lambda: database.execute_sql(sql, params))
        return
    for statement in statements.split(sql, is_sqlite=is_sqlite):
        steps.append(Execute(database, statement.sql))


def line_of(frame: FrameType | None, path: str) -> int:
    """The line of `path` that is running in this frame or one of its callers; 0 where there is none."""
    while frame is not None and frame.f_code.co_filename != path:
        frame = frame.f_back
    return frame.f_lineno if frame else 0

"""Duties: what one worker at a time does, such as asking Telegram for updates.

Whoever has a duty holds it for some seconds and renews it; when the holder dies, it is anybody's after that time. Each
change is fenced by the holder's name, so that who was thought dead can't let go of what somebody else has by now."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from service.database import connection
from service.faults import headline
from service.models import Duty
from service.models.base import shared_now

log = logging.getLogger(__name__)


def hold(name: str, holder: str, seconds: float, *, every: float = 0.0) -> bool:
    """Take the duty or renew it; False while somebody else has it.

    With `every`, what is done at intervals is also refused when it was last done (see `release`) less than so many
    seconds ago."""
    is_free = Duty.held_until.is_null() | (Duty.held_until < shared_now()) | (Duty.holder == holder)
    is_due = Duty.done_at.is_null() | (Duty.done_at <= shared_now(-every))
    mine = {"holder": holder, "held_until": shared_now(seconds)}
    with connection():
        if Duty.update(mine).where(Duty.name == name, is_free, is_due).execute():
            return True
        if Duty.select().where(Duty.name == name).exists():
            return False
        # The very first time. Of several that come at once, the unique name lets one in.
        return bool(Duty.insert(name=name, **mine).on_conflict_ignore().as_rowcount().execute())


def release(name: str, holder: str, *, is_done: bool = False) -> bool:
    """Let go of the duty, and note that it was done now; False when somebody else has it by now."""
    done = {"done_at": shared_now()} if is_done else {}
    with connection():
        mine = (Duty.name == name) & (Duty.holder == holder)
        rows = Duty.update(holder=None, held_until=None, **done).where(mine).execute()
    return bool(rows)


class Hold:
    """A duty that is renewed in the background for as long as the work on it takes. `is_mine` asks no database: where
    none can be reached, the duty is counted as lost when its time is up. `done_at` says when it was last done."""

    def __init__(self, name: str, holder: str, seconds: float) -> None:
        self.name, self.holder, self.seconds = name, holder, seconds
        self.is_done = False
        self.done_at: datetime | None = None
        self._lost_at = 0.0
        self._ended = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name=f"duty {name}", daemon=True)

    @property
    def is_mine(self) -> bool:
        return time.monotonic() < self._lost_at

    def renew(self, *, every: float = 0.0) -> bool:
        began = time.monotonic()  # before the database counts, so that we never think longer than it that we hold
        is_mine = hold(self.name, self.holder, self.seconds, every=every)
        self._lost_at = began + self.seconds if is_mine else 0.0
        return is_mine

    def begin(self) -> None:
        with connection():
            self.done_at = Duty.get(Duty.name == self.name).done_at
        self._keeper.start()

    def end(self) -> None:
        self._ended.set()
        self._keeper.join(self.seconds)  # or it might take back what is let go of here
        if self.is_mine:
            release(self.name, self.holder, is_done=self.is_done)

    def _keep(self) -> None:
        while not self._ended.wait(self.seconds / 3):
            try:
                if not self.renew():
                    return
            except Exception as error:
                log.warning("Duty %s: not renewed: %s", self.name, headline(error))


@contextmanager
def holding(name: str, holder: str, seconds: float, *, every: float = 0.0) -> Iterator[Hold | None]:
    """The duty for as long as the block runs, or None when it is not to be had. A long block looks at `is_mine` now and
    then, and sets `is_done` when it has done what is done at intervals."""
    held = Hold(name, holder, seconds)
    if not held.renew(every=every):
        yield None
        return
    held.begin()
    try:
        yield held
    finally:
        held.end()

"""Signs of life: each loop of the worker marks that it goes round, and whoever watches learns of one that doesn't."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Stuck:
    """A loop that has not gone round for longer than it may take."""

    loop: str
    seconds: float
    since: datetime

    def __str__(self) -> str:
        return (
            f"The loop for {self.loop} has not moved for {self.seconds:.0f} s, since {self.since:%Y-%m-%dT%H:%M:%SZ}."
        )


class Health:
    def __init__(self) -> None:
        self._limits: dict[str, float] = {}
        self._beaten: dict[str, float] = {}

    def watch(self, loop: str, limit: float) -> Callable[[], None]:
        """Watch a loop from now on; it calls what it gets here each time it goes round, at least once in `limit`
        seconds."""
        self._limits[loop] = limit

        def beat() -> None:
            self._beaten[loop] = time.monotonic()

        beat()
        return beat

    def quiet(self) -> dict[str, float]:
        """Seconds since each loop's last sign of life."""
        now = time.monotonic()
        return {loop: now - beaten for loop, beaten in dict(self._beaten).items()}

    def stuck(self) -> list[Stuck]:
        now = datetime.now(UTC)
        return [
            Stuck(loop, seconds, datetime.fromtimestamp(now.timestamp() - seconds, UTC))
            for loop, seconds in self.quiet().items()
            if seconds > self._limits[loop]
        ]

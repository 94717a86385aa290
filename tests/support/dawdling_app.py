"""An application that takes its time, for gunicorn: tests.support.dawdling_app:app

GET /one is answered once the folder TEST_GATE holds a file "one" or "open". Until then the folder shows by a file named
after the process and the request that this one is in hand. GET / is answered at once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    gate, name = Path(os.environ["TEST_GATE"]), environ["PATH_INFO"].removeprefix("/")
    if name:
        in_hand = gate / f"{os.getpid()} {name}"
        in_hand.touch()
        while not ((gate / name).exists() or (gate / "open").exists()):
            time.sleep(0.005)
        in_hand.unlink()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"Done."]

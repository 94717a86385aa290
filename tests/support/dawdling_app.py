"""An application that only takes its time, for gunicorn: tests.support.dawdling_app:app

GET /0.02 takes 0.02 seconds; the answer says by which process, and how many it had in hand then.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

_lock = threading.Lock()
_in_hand: set[object] = set()


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    me = object()
    with _lock:
        _in_hand.add(me)
        in_hand = len(_in_hand)
    time.sleep(float(environ["PATH_INFO"].removeprefix("/")))
    with _lock:
        _in_hand.remove(me)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()} {in_hand}".encode()]

"""One worker to be measured: `python -m benchmarks.chat_worker URL`. It answers with the offline provider, and delivers
to nobody. It says "ready" once both loops run, and ends when its standard input does."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from service.bot.consumer import Consumer
from service.bot.inbox import INBOX, answer, apologise_and_bury
from service.bot.outbox import bury, deliver, outbox
from service.bot.waker import waker
from service.chat import wake
from service.chat.outside import Outside
from service.chat.providers import built_in
from service.database import bind
from service.url import parse

CHANNEL = "benchmark"


class Nobody:
    """A sender that has sent at once."""

    def send(self, _text: str, _address: Mapping[str, Any], _keep: Callable[[Mapping[str, Any]], None]) -> None:
        return


def main(url: str) -> None:
    where = parse(url)
    bind(where, application="slipway-benchmark")
    stop, outside, holder = threading.Event(), Outside(), f"benchmark:{os.getpid()}"
    work = partial(answer, providers=built_in(outside), outside=outside)
    loops: list[Consumer[Any]] = [
        Consumer(INBOX, holder, 30.0, work, apologise_and_bury, waker(where, wake.INBOX), stop),
        Consumer(
            outbox(CHANNEL), holder, 30.0, partial(deliver, sender=Nobody()), bury, waker(where, wake.OUTBOX), stop
        ),
    ]
    threads = [threading.Thread(target=loop.run) for loop in loops]
    for thread in threads:
        thread.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    outside.close()


if __name__ == "__main__":
    main(sys.argv[1])

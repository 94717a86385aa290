"""How both processes write their log: one line an event, in UTC, without secrets and without what people said.

A line is text for a person, or one JSON object for a machine, which bears the facts of the event as well: those given
with the line (`extra`), those of the work that it is about, and those of the process."""

from __future__ import annotations

import json
import logging
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType, TracebackType

TEXT, JSON = "text", "json"
# They log addresses, which hold the bot's token, and message texts; Peewee's are the values in its SQL.
_TALKATIVE = ("httpx", "httpx2", "httpcore", "httpcore2", "telegram", "peewee", "mcp", "openai")
# A shorter one is a word: taken out, it would take half of the log with it.
SHORTEST_SECRET = 8

Facts = Mapping[str, object]
_NONE: Facts = MappingProxyType({})
_facts: ContextVar[Facts] = ContextVar("facts", default=_NONE)
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


@contextmanager
def about(**facts: object) -> Iterator[None]:
    """Every line that is written within the block, by this thread, bears these facts."""
    token = _facts.set({**_facts.get(), **facts})
    try:
        yield
    finally:
        _facts.reset(token)


class TextFormatter(logging.Formatter):
    """Takes every secret out of the finished line, whoever wrote it there."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        super().__init__("%(asctime)sZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
        self.converter = time.gmtime
        given = {secret for secret in secrets if len(secret) >= SHORTEST_SECRET}
        escaped = {json.dumps(secret, ensure_ascii=False)[1:-1] for secret in given}
        self._secrets = sorted(given | escaped, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        line = self.line(record)
        for secret in self._secrets:
            line = line.replace(secret, "…")
        return line

    def line(self, record: logging.LogRecord) -> str:
        return super().format(record)

    def formatException(self, ei: _ExceptionInfo) -> str:
        """Kind and place of the error and of what led to it. Their texts may quote what somebody said."""
        return "\n".join(_places(error) for error in _chain(ei[1]))


class JsonFormatter(TextFormatter):
    def __init__(self, secrets: Sequence[str] = (), facts: Facts = _NONE) -> None:
        super().__init__(secrets)
        self._facts = facts

    def line(self, record: logging.LogRecord) -> str:
        event: dict[str, object] = {
            "time": f"{self.formatTime(record, self.datefmt)}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        given = {name: value for name, value in vars(record).items() if name not in _OWN}
        event |= {**self._facts, **_facts.get(), **given}
        if record.exc_info:
            event["exception"] = self.formatException(record.exc_info)
        return json.dumps(event, ensure_ascii=False, default=str)


_ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def configure(level: str, form: str, secrets: Sequence[str] = (), **facts: object) -> None:
    """Send every log line of this process to stderr, in the given form; each bears the given facts."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter(secrets, facts) if form == JSON else TextFormatter(secrets))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _places(error: BaseException) -> str:
    frames = "".join(traceback.format_tb(error.__traceback__)).rstrip()
    return f"{type(error).__name__} at\n{frames}" if frames else type(error).__name__

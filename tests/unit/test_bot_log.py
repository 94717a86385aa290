from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import pytest

from service.bot.log import RedactingFormatter, configure


@pytest.fixture
def _root_logger() -> Iterator[None]:
    """Give the root logger back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def line(message: str, *, secret: str = "", error: BaseException | None = None) -> str:
    about = (type(error), error, None) if error else None
    record = logging.LogRecord("service.bot", logging.INFO, __file__, 1, message, None, about)
    return RedactingFormatter(secret).format(record)


def test_a_line_has_the_time_in_utc_the_level_and_the_text() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ INFO Started", line("Started"))


def test_the_secret_is_taken_out_of_messages_and_tracebacks() -> None:
    text = line("GET /bot42:abc/getMe", secret="42:abc", error=ValueError("42:abc is wrong"))
    assert "42:abc" not in text
    assert "GET /bot…/getMe" in text
    assert "… is wrong" in text


def test_without_a_secret_nothing_is_taken_out() -> None:
    assert line("As it is").endswith("As it is")


@pytest.mark.usefixtures("_root_logger")
def test_libraries_that_log_addresses_and_texts_stay_quiet_even_when_debugging() -> None:
    configure("debug", "")
    assert logging.getLogger("service.bot").isEnabledFor(logging.DEBUG)
    for name in ("httpx", "httpcore.http11", "telegram.Bot", "peewee"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)

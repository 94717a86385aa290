from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from service.admin.log import shown
from service.config import Config
from service.log import JsonFormatter, TextFormatter, about, configure

SECRET = '42:abc"defgh'


@pytest.fixture
def _root_logger() -> Iterator[None]:
    """Give the root logger back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def record(message: str, *values: object, **extra: object) -> logging.LogRecord:
    about = sys.exc_info() if sys.exc_info()[0] else None
    made = logging.LogRecord("service.bot", logging.INFO, __file__, 1, message, values, about)
    vars(made).update(extra)
    return made


def event(message: str, *values: object, formatter: JsonFormatter | None = None, **extra: object) -> dict[str, Any]:
    line = (formatter or JsonFormatter()).format(record(message, *values, **extra))
    assert "\n" not in line
    parsed: dict[str, Any] = json.loads(line)
    return parsed


def failed(work: Callable[[], object], formatter: logging.Formatter) -> str:
    try:
        work()
    except Exception:
        return formatter.format(record("It failed"))
    raise AssertionError("nothing failed")


def test_a_line_of_text_has_the_time_in_utc_the_level_and_the_message() -> None:
    line = TextFormatter().format(record("Started %s", "now"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ INFO Started now", line)


def test_a_line_for_machines_is_one_object() -> None:
    line = event("Answered\n%s", "twice", message_id=7)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line == {"level": "info", "logger": "service.bot", "message": "Answered\ntwice", "message_id": 7}


def test_it_bears_the_facts_of_the_work_and_of_the_process() -> None:
    formatter = JsonFormatter(facts={"worker": "one"})
    with about(inbox_id=1), about(attempt=2):
        inside = event("Working", formatter=formatter)
    outside = event("Idle", formatter=formatter)
    assert (inside["worker"], inside["inbox_id"], inside["attempt"]) == ("one", 1, 2)
    assert "inbox_id" not in outside


def test_threads_do_not_share_what_their_work_is_about() -> None:
    seen: list[dict[str, Any]] = []
    with about(inbox_id=1):
        other = threading.Thread(target=lambda: seen.append(event("Elsewhere")))
        other.start()
        other.join()
    assert "inbox_id" not in seen[0]


@pytest.mark.parametrize("formatter", [TextFormatter([SECRET]), JsonFormatter([SECRET])], ids=["text", "json"])
def test_a_secret_is_taken_out_wherever_it_stands(formatter: logging.Formatter) -> None:
    line = formatter.format(record("GET /bot%s/getMe", SECRET, address=f"https://{SECRET}@host"))
    assert "42:abc" not in line
    assert "GET /bot…/getMe" in line


def test_a_word_is_not_taken_for_a_secret() -> None:
    assert TextFormatter(["", "slipway"]).format(record("slipway-bot")).endswith("slipway-bot")


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()], ids=["text", "json"])
def test_an_error_tells_its_kind_and_place_and_not_its_text(formatter: logging.Formatter) -> None:
    said = "private " * 2

    def work() -> None:
        try:
            int(said)
        except ValueError as error:
            raise KeyError(said) from error

    line = failed(work, formatter)
    assert "KeyError at" in line
    assert "ValueError at" in line
    assert "test_log.py" in line
    assert "private private" not in line


def test_the_secrets_of_the_settings_are_all_that_would_harm() -> None:
    config = Config.from_env(
        {
            "DATABASE_URL": "postgres://app:in-the-url@db/bot",
            "DIRECT_URL": "postgres://owner@db/bot?password=in-the-query",
            "SECRET_KEY": "a-secret-key",
            "ADMIN_PASSWORD": "a-password",
            "TELEGRAM_BOT_TOKEN": "42:token",
            "OPENAI_API_KEY": "sk-key",
        }
    )
    wanted = {"in-the-url", "in-the-query", "a-secret-key", "a-password", "42:token", "sk-key"}
    assert set(config.secrets()) == wanted


def test_a_path_is_shown_without_the_key_in_it() -> None:
    assert shown("/talk/1/user-5-0a1b2c3d4e5f/messages") == "/talk/1/user-5-0a1b2c3d4e5f/messages"
    assert shown("/invitation/Zm9vYmFyYmF6Zm9vYmFyYmF6Zm9vYmFyYmF6X-0") == "/invitation/…"


@pytest.mark.usefixtures("_root_logger")
@pytest.mark.parametrize("form", ["text", "json"])
def test_libraries_that_log_addresses_and_texts_stay_quiet_even_when_debugging(form: str) -> None:
    configure("debug", form)
    assert logging.getLogger("service.bot").isEnabledFor(logging.DEBUG)
    for name in ("httpx", "httpcore.http11", "telegram.Bot", "peewee", "mcp.client"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)

"""The logs of both processes, as whatever collects them reads them."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from service.database import proxy
from service.models import DONE
from service.url import DatabaseUrl
from tests.support.chat import make_chatbot, reloaded, send
from tests.support.panel import ONE_ENGINE
from tests.support.postgresql import free_port
from tests.support.processes import HANGS, Process, Start, environment, eventually

SPOKEN_FIRST = ("admin-panel: starting", "bot: starting")


def events(process: Process) -> list[dict[str, Any]]:
    """What comes after the entrypoint's own words; each line must be one object."""
    lines = process.output.splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith(SPOKEN_FIRST))
    return [json.loads(line) for line in lines[begin + 1 :]]


@ONE_ENGINE
def test_the_panels_log_is_one_object_a_line_and_tells_each_request_without_its_query(
    service_database: DatabaseUrl, start: Start
) -> None:
    port = free_port()
    panel = start("entrypoints/admin-panel.sh", env=environment(service_database, LOG_FORMAT="json", PORT=str(port)))
    panel.serves(port)
    httpx.get(f"http://127.0.0.1:{port}/sign-in?q=private", timeout=HANGS)
    eventually(lambda: '"/sign-in"' in panel.output)
    assert panel.terminated() == 0
    told = events(panel)
    assert {"time", "level", "logger", "message", "process"} <= set.intersection(*map(set, told))
    (request,) = [event for event in told if event["logger"] == "gunicorn.access"]
    assert (request["method"], request["path"], request["status"]) == ("GET", "/sign-in", 200)
    assert request["duration_ms"] >= 0
    assert any(event["message"].startswith("Listening at") for event in told)
    assert "private" not in panel.output


@ONE_ENGINE
def test_the_workers_log_says_of_each_line_what_it_is_about(service_database: DatabaseUrl, start: Start) -> None:
    item = send(make_chatbot(), "A private question")
    bot = start("entrypoints/bot.sh", env=environment(service_database, LOG_FORMAT="json"))
    eventually(lambda: reloaded(item).state == DONE)
    proxy.obj.close()
    assert bot.terminated() == 0
    told = events(bot)
    assert len({event["worker"] for event in told}) == 1
    (answered,) = [event for event in told if "inbox_id" in event]
    assert (answered["inbox_id"], answered["attempt"], answered["level"]) == (item.id, 1, "info")
    assert {"message_id", "conversation_id", "duration_ms", "waited_ms"} <= set(answered)
    assert "private" not in bot.output


@pytest.mark.parametrize("form", ["", "text"])
@ONE_ENGINE
def test_on_a_laptop_it_is_text(service_database: DatabaseUrl, start: Start, form: str) -> None:
    bot = start("entrypoints/bot.sh", env=environment(service_database, LOG_FORMAT=form))
    bot.says("Z INFO No TELEGRAM_BOT_TOKEN: serving")
    assert bot.terminated() == 0

"""The worker as it runs in production: processes on a real database, ended in every way."""

from __future__ import annotations

import re
import signal
import time
from datetime import datetime

import httpx
import pytest

from service.database import proxy
from service.models import DONE, LEASED, QUEUED, Conversation, InboxItem, Message
from tests.support.chat import asked, make_chatbot, reloaded, send, transcript
from tests.support.postgresql import Server, free_port
from tests.support.processes import HANGS, answer, eventually
from tests.support.workers import Workers

on_sqlite = pytest.mark.parametrize("service_database", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("service_database", ["postgresql"], indirect=True)


def is_answered(item: InboxItem) -> bool:
    return reloaded(item).state == DONE


def leased_until(item: InboxItem) -> datetime:
    found = reloaded(item).leased_until
    assert found is not None
    return found


def test_a_message_is_answered_by_a_worker(started: Workers) -> None:
    item = send(make_chatbot(), "Hello")
    started.start()
    eventually(lambda: is_answered(item))
    assert [role for role, _ in transcript()] == ["user", "assistant"]
    assert "“Hello”" in transcript()[1][1]


@on_sqlite
def test_the_log_tells_what_is_served_and_what_was_done_without_texts(started: Workers) -> None:
    item = send(make_chatbot(), "A private question")
    process = started.start()
    eventually(lambda: is_answered(item))
    process.send_signal(signal.SIGTERM)
    assert process.wait(HANGS) == 0
    assert "INFO No TELEGRAM_BOT_TOKEN: serving the panel's channel only." in started.log
    assert re.search(rf"Z INFO inbox {item.id}: answered by message \d+ of conversation \d+, attempt 1", started.log)
    assert "INFO SIGTERM: finishing what is in hand." in started.log
    assert "private" not in started.log


def test_two_workers_answer_each_thread_in_order_and_different_threads_at_the_same_time(started: Workers) -> None:
    chatbot = make_chatbot(model_provider="gated")
    questions = [(f"thread {thread}", f"{thread}-{number}") for number in range(5) for thread in range(4)]
    items = [send(chatbot, question, thread=thread) for thread, question in questions]
    started.start()
    started.start()
    eventually(lambda: len(started.at_work()) == 2)
    assert {question for _, question in started.at_work()} == {"0-0", "1-0"}
    started.open_gate()
    eventually(lambda: all(is_answered(item) for item in items))
    for thread in range(4):
        assert asked(f"thread {thread}") == [f"{thread}-{number}" for number in range(5)]
        pairs = [pair for n in range(5) for pair in (f"{thread}-{n}", f"Answer to {thread}-{n}")]
        assert [content for _, content in transcript(f"thread {thread}")] == pairs


def test_a_worker_killed_in_the_middle_of_an_answer_is_replaced_and_the_person_answered_once(started: Workers) -> None:
    item = send(make_chatbot(model_provider="gated"), "Hello")
    victim = started.start(LEASE_SECONDS="1")
    eventually(lambda: started.at_work() == [(victim.pid, "Hello")])
    victim.kill()
    victim.wait()
    started.open_gate()
    started.start()
    eventually(lambda: is_answered(item))
    assert transcript() == [("user", "Hello"), ("assistant", "Answer to Hello")]
    assert reloaded(item).attempts == 2
    assert Conversation.select().count() == 1


def test_a_lease_outlives_its_length_while_the_provider_works(started: Workers) -> None:
    item = send(make_chatbot(model_provider="gated"), "Hello")
    slow = started.start(LEASE_SECONDS="5")
    eventually(lambda: started.at_work() == [(slow.pid, "Hello")])
    first = leased_until(item)
    started.start()
    eventually(lambda: leased_until(item) > first)
    other = send(make_chatbot(), "Is the other worker awake?", thread="other")
    eventually(lambda: is_answered(other))
    started.open_gate()
    eventually(lambda: is_answered(item))
    assert reloaded(item).attempts == 1
    assert len(started.at_work()) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_is_told_to_stop_finishes_its_message_takes_no_other_and_exits_0(
    started: Workers, number: signal.Signals
) -> None:
    chatbot = make_chatbot(model_provider="gated")
    in_hand, waiting = send(chatbot, "Hello"), send(chatbot, "And now?")
    process = started.start()
    eventually(lambda: len(started.at_work()) == 1)
    process.send_signal(number)
    eventually(lambda: "finishing what is in hand" in started.log)
    assert process.poll() is None
    started.open_gate()
    assert process.wait(HANGS) == 0
    assert is_answered(in_hand)
    assert (reloaded(waiting).state, reloaded(waiting).attempts) == (QUEUED, 0)


@on_sqlite
def test_what_cannot_be_finished_in_time_is_given_back_for_another_worker(started: Workers) -> None:
    item = send(make_chatbot(model_provider="gated"), "Hello")
    process = started.start(TEST_DRAIN_SECONDS="0.3")
    eventually(lambda: len(started.at_work()) == 1)
    process.terminate()
    assert process.wait(HANGS) == 0
    assert (reloaded(item).state, reloaded(item).attempts) == (QUEUED, 0)
    assert f"inbox {item.id}: not finished in time; given back" in started.log
    assert Message.select().count() == 0


@on_postgresql
def test_a_worker_survives_a_restart_of_the_database_with_a_message_in_hand(
    started: Workers, postgresql_server: Server
) -> None:
    chatbot = make_chatbot(model_provider="gated")
    item = send(chatbot, "Hello")
    process = started.start()
    eventually(lambda: len(started.at_work()) == 1)
    proxy.obj.close()
    postgresql_server.stop()
    started.open_gate()
    eventually(lambda: "inbox: stopped by OperationalError" in started.log)
    postgresql_server.start()
    eventually(lambda: is_answered(item))
    later = send(chatbot, "Still there?", thread="later")
    eventually(lambda: is_answered(later))
    assert process.poll() is None
    assert transcript() == [("user", "Hello"), ("assistant", "Answer to Hello")]
    assert started.log.count("inbox: stopped by") == 1
    assert "inbox: works again after" in started.log


@on_postgresql
def test_a_worker_that_starts_before_the_database_waits_for_it(started: Workers, postgresql_server: Server) -> None:
    item = send(make_chatbot(), "Hello")
    proxy.obj.close()
    postgresql_server.stop()
    started.start()
    eventually(lambda: "inbox: stopped by OperationalError" in started.log)
    postgresql_server.start()
    eventually(lambda: is_answered(item))


def test_an_idle_worker_answers_a_new_message_soon(started: Workers) -> None:
    chatbot = make_chatbot()
    started.start()
    seconds_until_answered(send(chatbot, "Are you up?"))
    took = [seconds_until_answered(send(chatbot, f"Hello {number}")) for number in range(4)]
    assert min(took) < 0.7, "it looks by itself only once a second; that the machine pauses every time is unlikely"


def seconds_until_answered(item: InboxItem) -> float:
    began = time.monotonic()
    eventually(lambda: is_answered(item))
    return time.monotonic() - began


@on_sqlite
def test_the_port_tells_of_health_and_of_work(started: Workers) -> None:
    item = send(make_chatbot(), "A private question")
    port = free_port()
    started.start(WORKER_PORT=str(port))
    eventually(lambda: is_answered(item))
    health = httpx.get(f"http://127.0.0.1:{port}/healthz")
    assert (health.status_code, health.json()["status"]) == (200, "ok")
    assert set(health.json()["quiet_seconds"]) == {"inbox", "jobs"}
    metrics = eventually(lambda: counted(port, 'slipway_done_total{queue="inbox"} 1.0'))
    assert 'slipway_queue_depth{queue="inbox"} 0.0' in metrics
    assert "private" not in metrics
    assert httpx.get(f"http://127.0.0.1:{port}/").status_code == 404


def counted(port: int, line: str) -> str:
    """All that is counted, once it says this: an answer is stored before it counts."""
    told = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    return told if line in told else ""


@on_sqlite
def test_a_port_that_is_taken_costs_the_view_and_not_the_worker(started: Workers) -> None:
    port = free_port()
    started.start(WORKER_PORT=str(port))
    eventually(lambda: answer(port, "/healthz") == 200)
    second = started.start(WORKER_PORT=str(port))
    eventually(lambda: f"Port {port} (WORKER_PORT) can't be used: Address already in use" in started.log)
    item = send(make_chatbot(), "Hello")
    eventually(lambda: is_answered(item))
    assert second.poll() is None


def illness(port: int) -> str:
    """Why a restart is due, as the port tells; empty where all is well, or nobody listens yet."""
    try:
        told = httpx.get(f"http://127.0.0.1:{port}/healthz")
    except httpx.TransportError:
        return ""
    return str(told.json()["reason"]) if told.status_code == 503 else ""


@on_sqlite
def test_a_loop_that_hangs_is_named_and_its_worker_ends_so_that_it_is_started_anew(started: Workers) -> None:
    item = send(make_chatbot(model_provider="deaf"), "Hello")
    port = free_port()
    settings = {"ANSWER_SECONDS": "1", "TEST_GRACE_SECONDS": "0.5", "TEST_DRAIN_SECONDS": "5"}
    process = started.start(WORKER_PORT=str(port), **settings)
    assert eventually(lambda: illness(port)).startswith("The loop for inbox has not moved for ")
    assert process.wait(HANGS) == 1
    assert "Stopping, so that the worker is started anew." in started.log
    assert reloaded(item).attempts == 1, "the attempt counts, or the message would end every worker for ever"
    assert f"inbox {item.id}: not finished in time; given back" not in started.log


def test_a_worker_that_is_told_to_stop_does_not_wait_for_a_provider_that_hangs(started: Workers) -> None:
    item = send(make_chatbot(model_provider="deaf"), "Hello")
    process = started.start(TEST_DRAIN_SECONDS="0.3")
    eventually(lambda: reloaded(item).state == LEASED)
    process.terminate()
    assert process.wait(HANGS) == 0
    assert (reloaded(item).state, reloaded(item).attempts) == (QUEUED, 0)


@on_sqlite
@pytest.mark.parametrize("value", ["soon", "0"])
def test_a_bad_setting_stops_the_start_and_names_the_variable(started: Workers, value: str) -> None:
    process = started.start(LEASE_SECONDS=value)
    assert process.wait(HANGS) == 2
    assert started.log == f"LEASE_SECONDS is {value!r}; use a number of seconds, such as 30.\n"

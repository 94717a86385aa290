"""What a worker counts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest

from service.bot.consumer import Consumer, GiveUp, TookTooLong, kind
from service.bot.inbox import INBOX, answer, apologise_and_bury
from service.bot.metrics import Metrics
from service.bot.waker import Polling
from service.chat.providers import Chunk, Provider, ProviderError, Request, Usage, built_in
from service.database import proxy
from service.models import InboxItem
from service.models.base import utc_now
from service.url import DatabaseUrl
from tests.support.chat import make_chatbot, send
from tests.support.panel import ONE_ENGINE
from tests.support.postgresql import Server
from tests.support.providers import Recorder, overloaded

pytestmark = pytest.mark.usefixtures("service_database")


def consumer(provider: Provider | None = None) -> Consumer[InboxItem]:
    work = partial(answer, providers={**built_in(), **({"offline": provider} if provider else {})})
    return Consumer(INBOX, "me", 30, work, apologise_and_bury, Polling(), threading.Event())


def figures(metrics: Metrics) -> dict[str, float]:
    lines = [line.rsplit(" ", 1) for line in metrics.page().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def test_an_answered_message_is_counted_with_its_time_and_tokens() -> None:
    worker = consumer(Recorder(chunks=("Hi.", Usage(input_tokens=12, output_tokens=3))))
    send(make_chatbot(), "Hello")
    worker.drain()
    found = figures(worker.metrics)
    assert found['slipway_received_total{queue="inbox"}'] == 1
    assert found['slipway_done_total{queue="inbox"}'] == 1
    assert found['slipway_done_seconds_count{queue="inbox"}'] == 1
    assert found['slipway_tokens_total{direction="input"}'] == 12
    assert found['slipway_tokens_total{direction="output"}'] == 3


def test_attempts_that_fail_are_counted_by_kind_and_dead_letters_apart() -> None:
    worker = consumer(overloaded())
    send(make_chatbot(), "Hello", thread="one")
    send(make_chatbot(model_provider="oracle"), "Hello", thread="two")
    worker.drain()
    found = figures(worker.metrics)
    assert found['slipway_failed_attempts_total{kind="provider_temporary",queue="inbox"}'] == 1
    assert found['slipway_failed_attempts_total{kind="provider_permanent",queue="inbox"}'] == 1
    assert found['slipway_given_up_total{queue="inbox"}'] == 1
    assert found['slipway_dead_letters{queue="inbox"}'] == 1


def test_a_second_attempt_is_no_second_message() -> None:
    worker = consumer(overloaded())
    send(make_chatbot(), "Hello")
    for _ in range(2):
        InboxItem.update(available_at=utc_now()).execute()
        worker.drain()
    assert figures(worker.metrics)['slipway_received_total{queue="inbox"}'] == 1


def test_a_result_that_came_too_late_is_counted() -> None:
    class Overtaken(Recorder):
        def stream(self, request: Request) -> Iterator[Chunk]:
            InboxItem.update(leased_by="somebody else").execute()
            return super().stream(request)

    worker = consumer(Overtaken())
    send(make_chatbot(), "Hello")
    worker.step()
    assert figures(worker.metrics)['slipway_lease_losses_total{queue="inbox"}'] == 1


def test_the_queue_is_as_deep_and_as_old_as_the_database_says() -> None:
    chatbot = make_chatbot()
    for number in range(3):
        send(chatbot, "Hello", thread=str(number))
    InboxItem.update(created_at=utc_now() - timedelta(minutes=5)).where(InboxItem.thread == "1").execute()
    found = figures(Metrics())
    assert found['slipway_queue_depth{queue="inbox"}'] == 3
    assert 300 <= found['slipway_queue_age_seconds{queue="inbox"}'] < 330
    assert found['slipway_queue_depth{queue="outbox"}'] == 0
    assert found['slipway_queue_age_seconds{queue="outbox"}'] == 0
    assert found["slipway_database_up"] == 1


@pytest.mark.parametrize("service_database", ["postgresql"], indirect=True)
def test_without_a_database_the_rest_is_still_told(service_database: DatabaseUrl, postgresql_server: Server) -> None:
    proxy.obj.close()
    postgresql_server.stop()
    found = figures(Metrics())
    assert found["slipway_database_up"] == 0
    assert found['slipway_done_total{queue="inbox"}'] == 0
    assert 'slipway_queue_depth{queue="inbox"}' not in found


@ONE_ENGINE
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ProviderError("503", is_temporary=True), "provider_temporary"),
        (ProviderError("401", is_temporary=False), "provider_permanent"),
        (TookTooLong(1.0), "took_too_long"),
        (GiveUp("Each worker that tried it stopped before it was done."), "given_up"),
        (ValueError("ours"), "fault"),
    ],
)
def test_what_an_attempt_failed_of(error: Exception, expected: str) -> None:
    assert kind(error) == expected

"""Duties: what one worker at a time does."""

from __future__ import annotations

from datetime import datetime, timedelta

import peewee as pw
import pytest

from service.bot import duty
from service.bot.duty import hold, holding, release
from service.database import proxy
from service.models import Duty, base
from service.models.base import utc_now
from tests.support.clock import StoppedClock
from tests.support.panel import at_once
from tests.support.processes import eventually

pytestmark = pytest.mark.usefixtures("service_database")
on_postgresql = pytest.mark.parametrize("service_database", ["postgresql"], indirect=True)
HOUR = timedelta(hours=1)


def run_out(name: str = "poll") -> None:
    Duty.update(held_until=utc_now() - timedelta(seconds=1)).where(Duty.name == name).execute()


def held_until() -> datetime:
    found = Duty.get().held_until
    assert found is not None
    return found


def holder(name: str = "poll") -> str | None:
    found: str | None = Duty.get(Duty.name == name).holder
    return found


def test_a_duty_has_one_holder() -> None:
    assert hold("poll", "one", 30)
    assert not hold("poll", "two", 30)
    assert hold("sweep", "two", 30), "another duty is another matter"


def test_whoever_holds_it_renews_it() -> None:
    assert hold("poll", "one", 1)
    assert hold("poll", "one", 30)
    assert held_until() - utc_now() > timedelta(seconds=25)


def test_of_many_that_come_at_once_one_gets_it() -> None:
    names = iter(range(6))
    got: list[bool] = []
    at_once(6, lambda: got.append(hold("poll", f"worker {next(names)}", 30)))
    assert sorted(got) == [False] * 5 + [True]


def test_a_duty_of_a_dead_holder_is_anybodys_when_its_time_is_up() -> None:
    assert hold("poll", "one", 30)
    run_out()
    assert hold("poll", "two", 30)
    assert not hold("poll", "one", 30)


def test_a_duty_that_was_let_go_of_is_anybodys_at_once() -> None:
    assert hold("poll", "one", 30)
    assert release("poll", "one")
    assert hold("poll", "two", 30)


def test_who_was_thought_dead_lets_go_of_nothing() -> None:
    assert hold("poll", "one", 30)
    run_out()
    assert hold("poll", "two", 30)
    assert not release("poll", "one", is_done=True)
    assert (holder(), Duty.get().done_at) == ("two", None)


def test_what_was_done_is_not_due_before_its_interval_has_passed() -> None:
    assert hold("sweep", "one", 30, every=60)
    assert release("sweep", "one", is_done=True)
    assert not hold("sweep", "one", 30, every=60)
    Duty.update(done_at=utc_now() - timedelta(seconds=61)).execute()
    assert hold("sweep", "two", 30, every=60)


def test_what_failed_is_due_again() -> None:
    assert hold("sweep", "one", 30, every=60)
    assert release("sweep", "one")
    assert hold("sweep", "two", 30, every=60)


def test_a_duty_is_renewed_while_the_work_takes_longer_than_its_time() -> None:
    with holding("poll", "one", 5.0) as held:
        assert held is not None
        end = held_until()
        eventually(lambda: held_until() > end)
        assert held.is_mine
        assert not hold("poll", "two", 30)
    assert holder() is None


def test_work_is_told_when_its_duty_was_taken_over() -> None:
    with holding("poll", "one", 1.5) as held:
        assert held is not None
        Duty.update(holder="two", held_until=utc_now() + HOUR).execute()
        eventually(lambda: not held.is_mine)
    assert holder() == "two"


def test_without_a_database_a_duty_is_lost_when_its_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> bool:
        raise pw.OperationalError("connection refused")

    clock = StoppedClock()
    monkeypatch.setattr(duty, "time", clock)
    with holding("poll", "one", 30) as held:
        assert held is not None
        monkeypatch.setattr(duty, "hold", unreachable)
        clock.now = 29
        assert held.is_mine
        clock.now = 30
        assert not held.is_mine


def test_nothing_is_held_where_somebody_else_is_at_it() -> None:
    assert hold("poll", "one", 30)
    with holding("poll", "two", 30) as held:
        assert held is None
    assert holder() == "one"


@pytest.mark.parametrize("is_done", [True, False])
def test_what_is_done_at_intervals_says_so_itself(is_done: bool) -> None:
    with holding("sweep", "one", 30, every=60) as held:
        assert held is not None
        held.is_done = is_done
    with holding("sweep", "two", 30, every=60) as again:
        assert (again is None) == is_done


@on_postgresql
def test_a_worker_whose_clock_is_wrong_takes_nothing_early(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hold("poll", "one", 30)
    monkeypatch.setattr(base, "utc_now", lambda: utc_now() + HOUR)
    assert not hold("poll", "two", 30)
    release("poll", "one", is_done=True)
    assert not hold("poll", "two", 30, every=60)
    assert proxy.obj.is_closed()

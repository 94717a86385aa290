"""Waits as plain values: how they add up, how they are kept, and how they are told."""

from __future__ import annotations

import pytest

from service.migrate import waits
from service.migrate.command import show
from service.migrate.session import Event
from service.migrate.waits import Toll, Wait

WORDS = {
    Wait("locks", 9.04, ("server process 7 (reporting)",)): "Waited 9.0 s for server process 7 (reporting)",
    Wait("locks", 3.0, ("a", "b"), 1): "Waited 3.0 s for a; b, and gave way once",
    Wait("locks", 3.0, (), 2): "Waited 3.0 s for another connection, and gave way twice",
    Wait("locks", 65.0, (), 10): "Waited 65.0 s for another connection, and gave way 10 times",
    Wait("deploy", 38.2, ("process 12 on web",)): "Waited 38.2 s for another deploy (process 12 on web)",
    Wait("database", 4.0, ("Connection refused",)): "Waited 4.0 s for the database (Connection refused)",
}


@pytest.mark.parametrize("wait", WORDS, ids=lambda wait: wait.cause)
def test_a_wait_is_told_in_words(wait: Wait) -> None:
    assert wait.words == WORDS[wait]


def test_what_is_kept_as_text_comes_back_the_same() -> None:
    assert waits.from_text(waits.as_text(list(WORDS))) == tuple(WORDS)


def test_nothing_waited_for_is_nothing_kept() -> None:
    assert waits.as_text([]) is None
    assert waits.from_text(None) == ()


def test_a_moment_is_no_wait() -> None:
    toll = Toll()
    toll.add(0.09, {})
    assert toll.waits() == ()


def test_a_try_that_gave_way_is_lost_as_a_whole_and_the_waits_in_it_are_not_counted_twice() -> None:
    toll = Toll()
    toll.begin_try()
    toll.add(0.5, {1: "first"})  # it came to its end
    toll.begin_try()
    toll.add(2.5, {2: "second, at first"})
    toll.give_way(3.0, {2: "second"})
    toll.add(1.0, {})  # the pause before the next
    toll.begin_try()
    toll.add(0.25, {3: "third"})
    assert toll.waits() == (Wait("locks", 4.75, ("first", "second", "third"), 1),)


def test_what_was_written_down_stays_as_it_is_unless_there_is_another_try() -> None:
    toll = Toll()
    toll.begin_try()
    toll.add(1.5, {1: "first"})
    told = toll.write_down()
    toll.add(0.5, {2: "late"})
    assert toll.waits() == told == (Wait("locks", 1.5, ("first",)),)
    toll.give_way(2.0, {})
    toll.add(1.0, {})
    assert toll.waits() == (Wait("locks", 3.0, ("first",), 1),)


def test_of_many_who_were_waited_for_a_few_are_named() -> None:
    toll = Toll()
    toll.add(1.0, {number: f"server process {number}" for number in range(50)})
    assert len(toll.waits()[0].whom) == 5


def test_a_deploy_tells_its_waits_below_the_migration_and_leaves_queries_as_they_are() -> None:
    wait = Wait("locks", 9.0, ("server process 7 (etl: SELECT Name)",))
    name, told = show.event(Event("applied", "002_b", 9.1, waits=(wait,))).splitlines()
    assert name.split() == ["✓", "002_b", "9.1", "s"]
    assert told == "    Waited 9.0 s for server process 7 (etl: SELECT Name)"
    assert show.event(Event("waited", waits=(wait,))) == "Waited 9.0 s for server process 7 (etl: SELECT Name)"

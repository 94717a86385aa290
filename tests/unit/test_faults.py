"""What a log says about an error."""

from __future__ import annotations

import re

import peewee as pw
import pytest

from service.chat.providers import ProviderError, named
from service.faults import headline, is_outage, takes_no_changes


def test_the_headline_of_an_unknown_error_quotes_nothing() -> None:
    with pytest.raises(ProviderError) as caught:
        named({}, "what somebody wrote")
    assert re.fullmatch(r"ProviderError at service/chat/providers/__init__\.py:\d+", headline(caught.value))


def test_the_headline_of_an_outage_is_the_first_line_of_the_driver() -> None:
    error = pw.OperationalError("connection refused\n\tIs the server running?")
    assert headline(error) == "OperationalError: connection refused"


class Refusal(Exception):
    """As the driver for PostgreSQL raises it, with the server's code."""

    def __init__(self, code: str) -> None:
        super().__init__("the server's own words")
        self.pgcode = code


@pytest.mark.parametrize(
    ("code", "is_away", "is_closed", "is_told"),
    [
        ("25006", True, True, True),  # read-only
        ("53100", True, True, True),  # the disk is full
        ("42501", False, False, True),  # no right to that table
        ("42P01", False, False, True),  # no such table
        ("22P02", False, False, False),  # invalid input, which is quoted
        ("23505", False, False, False),  # a key that exists, with its value
    ],
)
def test_what_a_refusal_means_and_whether_its_words_are_told(
    code: str, is_away: bool, is_closed: bool, is_told: bool
) -> None:
    error = pw.InternalError(Refusal(code), "the server's own words")
    assert (is_outage(error), takes_no_changes(error)) == (is_away, is_closed)
    assert ("the server's own words" in headline(error)) == is_told


def test_an_error_from_elsewhere_has_no_place() -> None:
    assert headline(ValueError("secret")) == "ValueError at an unknown place"

"""What a log says about an error."""

from __future__ import annotations

import re

import peewee as pw
import pytest

from service.chat.providers import ProviderError, named
from service.faults import headline


def test_the_headline_of_an_unknown_error_quotes_nothing() -> None:
    with pytest.raises(ProviderError) as caught:
        named({}, "what somebody wrote")
    assert re.fullmatch(r"ProviderError at service/chat/providers/__init__\.py:\d+", headline(caught.value))


def test_the_headline_of_an_outage_is_the_first_line_of_the_driver() -> None:
    error = pw.OperationalError("connection refused\n\tIs the server running?")
    assert headline(error) == "OperationalError: connection refused"


def test_an_error_from_elsewhere_has_no_place() -> None:
    assert headline(ValueError("secret")) == "ValueError at an unknown place"

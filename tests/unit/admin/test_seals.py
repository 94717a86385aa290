"""Secrets at rest."""

from __future__ import annotations

import pytest

from service.admin.access.seals import Unreadable, is_sealed, seal, unseal
from service.models import User

SECRET, KEY = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "a key of the tests"


def test_what_is_sealed_shows_nothing_and_opens_with_its_key() -> None:
    kept = seal(SECRET, KEY)
    assert SECRET not in kept
    assert is_sealed(kept)
    assert unseal(kept, KEY) == SECRET


def test_the_same_secret_is_never_sealed_to_the_same_text() -> None:
    assert seal(SECRET, KEY) != seal(SECRET, KEY)


def test_a_sealed_secret_fits_its_column() -> None:
    assert len(seal(SECRET, KEY)) <= User.totp_secret.max_length


@pytest.mark.parametrize("other", ["another key", ""])
def test_another_key_opens_nothing(other: str) -> None:
    with pytest.raises(Unreadable):
        unseal(seal(SECRET, KEY), other)


def test_a_seal_that_was_tampered_with_does_not_open() -> None:
    kept = seal(SECRET, KEY)
    with pytest.raises(Unreadable):
        unseal(kept[:-6] + ("A" if kept[-6] != "A" else "B") + kept[-5:], KEY)


def test_what_was_kept_before_there_were_seals_is_read_as_it_is() -> None:
    assert unseal(SECRET, KEY) == SECRET


def test_without_a_key_that_lasts_nothing_is_sealed() -> None:
    assert seal(SECRET, "") == SECRET

"""Codes of six digits, checked against the examples of RFC 6238, appendix B."""

from __future__ import annotations

import base64

import pytest

from service.admin.access import totp

SECRET = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("moment", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_the_codes_are_those_of_the_standard(moment: int, code: str) -> None:
    assert totp.step_of(SECRET, code, moment) == moment // 30


@pytest.mark.parametrize(("late", "is_right"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_a_clock_may_be_half_a_minute_off(late: int, is_right: bool) -> None:
    assert (totp.step_of(SECRET, "050471", 1111111111 + late) is not None) == is_right


@pytest.mark.parametrize("typed", [" 050 471 ", "050471"])
def test_spaces_are_no_mistake(typed: str) -> None:
    assert totp.step_of(SECRET, typed, 1111111111)


@pytest.mark.parametrize("typed", ["", "05047", "0504711", "abcdef", "٠٥٠٤٧١", "\ud800"])
def test_what_is_no_code_is_refused(typed: str) -> None:
    assert totp.step_of(SECRET, typed, 1111111111) is None


def test_secrets_are_long_and_never_the_same() -> None:
    assert len({totp.new_secret() for _ in range(20)}) == 20
    assert len(base64.b32decode(totp.new_secret())) >= 20, "160 bits, as RFC 4226 asks for"


def test_the_picture_holds_what_an_app_needs_and_no_style_of_its_own() -> None:
    address = totp.address(SECRET, "dana@example.org")
    assert address.startswith("otpauth://totp/Slipway:dana%40example.org?")
    assert f"secret={SECRET}" in address
    drawn = totp.picture(address)
    assert drawn.startswith("<svg")
    assert "style=" not in drawn

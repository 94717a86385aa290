from __future__ import annotations

import pytest

from service.admin.access.guesses import neighbourhood


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_who_has_one_address_of_a_network_is_counted_with_all_of_it(address: str, counted_as: str) -> None:
    assert neighbourhood(address) == counted_as

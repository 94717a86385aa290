"""The operator's servers among those that a version lists."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.chat.tools.choice import joined, named, without

OWN = {"name": "berths", "url": "https://berths.example.com/mcp"}
entries = st.one_of(st.sampled_from(["files", "crm"]), st.just(OWN), st.just({"name": "tides"}))


@pytest.mark.parametrize(
    ("listed", "names", "rest"),
    [
        (["files", "crm"], ["files", "crm"], None),
        ([{"name": "files"}, OWN], ["files"], [OWN]),
        ([OWN, "files", 7], ["files"], [OWN, 7]),
        ([OWN], [], [OWN]),
        ([], [], []),
        ("files", [], "files"),
    ],
)
def test_names_are_told_from_servers_with_an_address(listed: Any, names: list[str], rest: Any) -> None:
    config = {"temperature": 0.5, "mcp_servers": listed}
    assert named(config) == names
    assert without(config) == {"temperature": 0.5} | ({} if rest is None else {"mcp_servers": rest})


def test_a_config_without_servers_is_left_alone() -> None:
    assert (named({}), without({}), joined({}, [])) == ([], {}, {})


def test_chosen_names_come_before_what_is_typed_and_none_twice() -> None:
    assert joined({"mcp_servers": [OWN, "files"]}, ["crm", "files"]) == {"mcp_servers": ["crm", OWN, "files"]}


def test_what_can_not_be_a_list_of_servers_is_left_for_the_check_of_the_config() -> None:
    assert joined({"mcp_servers": {"files": 1}}, ["crm"]) == {"mcp_servers": {"files": 1}}


@given(st.lists(entries, unique_by=str))
def test_taken_apart_and_put_together_a_config_says_the_same(listed: list[Any]) -> None:
    config = {"top_p": 1, "mcp_servers": listed}
    again = joined(without(config), named(config))
    assert named(again) == named(config)
    assert [entry for entry in again.get("mcp_servers", []) if entry == OWN] == [e for e in listed if e == OWN]
    assert again["top_p"] == 1

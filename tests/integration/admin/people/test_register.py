"""A service that many people sign in to: finding one of them."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from service.admin.access import invitations
from service.admin.people.register import PAGE_SIZE
from service.models import EDITOR, Creator, CreatorUser, User
from tests.support.panel import ONE_ENGINE, PASSWORD_HASH, Browser, signed_in


@pytest.fixture
def owner(app: Flask) -> Browser:
    """Dana, before whom all others come by their email."""
    return signed_in(app)


def join(count: int) -> None:
    """As many people, every tenth of whom may not sign in any more."""
    rows = [
        {"email": f"a{number:04}@example.org", "name": f"Person {number}", "password_hash": PASSWORD_HASH}
        | {"is_active": number % 10 > 0}
        for number in range(count)
    ]
    User.insert_many(rows).execute()


def emails(page: str) -> list[str]:
    return re.findall(r'<br><span class="quiet">([^<]+)</span></th>', page)


def test_paging_shows_everybody_once_those_who_may_sign_in_first(owner: Browser) -> None:
    join(2 * PAGE_SIZE + 3)
    seen, path = [], "/people/"
    while path:
        page = owner.read(path)
        seen.append(emails(page))
        further = re.search(r'rel="next" href="([^"]+)"', page)
        path = further[1] if further else ""
    assert [len(page) for page in seen] == [PAGE_SIZE, PAGE_SIZE, 4]
    ordered = User.select().order_by(User.is_active.desc(), User.email)
    assert [email for page in seen for email in page] == [user.email for user in ordered]


def test_somebody_is_found_by_a_part_of_the_name_or_the_email(owner: Browser) -> None:
    join(PAGE_SIZE)
    User.create(email="eve@example.org", name="Eve 100 %", password_hash="-")
    assert len(emails(owner.read("/people/?q=person"))) == PAGE_SIZE
    assert emails(owner.read("/people/?q=EVE@")) == ["eve@example.org"]
    assert emails(owner.read("/people/?q=100+%25")) == ["eve@example.org"], "a sign of patterns is a sign here"
    page = owner.read("/people/?q=lagoon")
    assert emails(page) == []
    assert "Nobody of this name or email" in page
    assert 'value="lagoon"' in page


@ONE_ENGINE
def test_who_is_invited_is_found_too_and_stands_on_the_first_page_alone(owner: Browser) -> None:
    join(PAGE_SIZE)
    invitations.issue("new@example.org", EDITOR, None, User.get(User.name == "dana"))
    assert "new@example.org" in owner.read("/people/")
    found = owner.read("/people/?q=New@")
    assert "new@example.org" in found
    assert "Nobody" not in found
    assert "new@example.org" not in owner.read("/people/?q=person")
    second = re.search(r'rel="next" href="([^"]+)"', owner.read("/people/"))
    assert second
    assert "new@example.org" not in owner.read(second[1])


@ONE_ENGINE
def test_each_page_names_the_teams_of_those_on_it(owner: Browser) -> None:
    join(2 * PAGE_SIZE)
    harbour = Creator.create(name="Harbour")
    CreatorUser.create(creator=harbour, user=User.get(User.email == "a0099@example.org"))
    assert "Harbour" not in owner.read("/people/")
    assert "Harbour" in owner.read("/people/?q=a0099")


@ONE_ENGINE
def test_a_few_people_need_no_finder(owner: Browser) -> None:
    assert 'role="search"' not in owner.read("/people/")
    join(PAGE_SIZE)
    assert 'role="search"' in owner.read("/people/")


@ONE_ENGINE
def test_the_page_weighs_the_same_however_many_there_are(owner: Browser) -> None:
    join(PAGE_SIZE)
    before = len(owner.read("/people/"))
    User.delete().where(User.email.startswith("a0")).execute()
    join(3000)
    assert len(owner.read("/people/")) < 1.1 * before


@ONE_ENGINE
@pytest.mark.parametrize("query", ["after=99999999999999999999", "after=-1", "after=x", "q=%00", "q=" + "x" * 5000])
def test_the_list_is_not_upset_by_what_an_address_holds(owner: Browser, query: str) -> None:
    assert "People" in owner.read(f"/people/?{query}")

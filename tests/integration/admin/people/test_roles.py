"""Who may do what, and how an owner changes it."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta

import pytest
from flask import Flask

from service.admin.access import invitations
from service.admin.access.accounts import Refused
from service.admin.people import team
from service.database import connection, proxy, writing
from service.models import EDITOR, OWNER, VIEWER, AuditEvent, Creator, CreatorUser, Invitation, User
from service.models.base import utc_now
from tests.support.chat import make_chatbot
from tests.support.panel import EMAIL, ONE_ENGINE, Browser, add_user, signed_in


@pytest.fixture
def eve(app: Flask) -> User:
    return add_user("eve@example.org", role=EDITOR)


def press(browser: Browser, user: User, verb: str, **typed: str) -> str:
    """Send one of the forms of a person's page; what is said then."""
    page = f"/people/{user.id}"
    assert browser.submit(page, to=f"{page}/{verb}", **typed).location == page
    said = re.search(r'role="status">([^<]+)<', browser.read(page))
    assert said
    return said[1]


def reloaded(user: User) -> User:
    return User.get_by_id(user.id)


def recorded() -> list[tuple[str, str, str]]:
    """What owners did: sign-ins aside."""
    events = AuditEvent.select().where(~AuditEvent.action.startswith("session.begin")).order_by(AuditEvent.id)
    return [(event.actor, event.action, event.subject) for event in events]


def test_the_list_tells_who_there_is_and_how_they_are(owner: Browser, eve: User) -> None:
    add_user("old@example.org", is_active=False, role=VIEWER)
    add_user("slow@example.org", locked_until=utc_now() + timedelta(minutes=5), totp_secret="A" * 32)
    page = owner.read("/people/")
    for word in (EMAIL, "eve@example.org", "editor", "disabled", "locked", "just now", "you", ">on<"):
        assert word in page
    assert "Invited" not in page, "nobody is"


def test_a_role_is_changed_and_counts_at_once(app: Flask, owner: Browser, eve: User) -> None:
    browser = signed_in(app, eve.email)
    assert browser.get("/people/").status_code == 403
    assert press(owner, eve, "role", role=OWNER) == "eve is now owner."
    assert browser.get("/people/").status_code == 200
    assert recorded() == [(EMAIL, "person.role", eve.email)]
    assert AuditEvent.get(AuditEvent.action == "person.role").details == {"role": "owner", "was": "editor"}


@ONE_ENGINE
def test_a_role_that_does_not_exist_is_refused(owner: Browser, eve: User) -> None:
    assert owner.submit(f"/people/{eve.id}", to=f"/people/{eve.id}/role", role="boss").status_code == 400
    assert reloaded(eve).role == EDITOR


@ONE_ENGINE
def test_before_somebody_is_disabled_the_owner_reads_what_that_costs(owner: Browser, eve: User) -> None:
    with connection(), writing(proxy.obj):
        invitations.issue("new@example.org", VIEWER, None, eve)
    question = owner.read(f"/people/{eve.id}/close")
    assert "Disable the account of eve?" in question
    assert "1 invitation of theirs that nobody has accepted: withdrawn." in question
    assert reloaded(eve).is_active, "asking changes nothing"
    assert owner.submit(f"/people/{eve.id}/close").status_code == 303
    assert not reloaded(eve).is_active
    for path in (f"/people/{eve.id}/close", f"/people/{eve.id}/second-step", f"/people/{User.get().id}/close"):
        assert owner.get(path).status_code == 302, "there is nothing to ask"


def test_who_is_disabled_is_out_at_once_and_stays_out_when_enabled_again(app: Flask, owner: Browser, eve: User) -> None:
    browser = signed_in(app, eve.email)
    assert press(owner, eve, "close") == "eve can&#39;t sign in any more."
    assert browser.get("/chatbots/").status_code == 303
    assert Browser(app).sign_in(eve.email).status_code == 401
    assert press(owner, eve, "open") == "eve can sign in again."
    assert browser.get("/chatbots/").status_code == 303, "the old session does not come back"
    assert Browser(app).sign_in(eve.email).status_code == 303


def test_somebody_is_signed_out_of_every_browser(app: Flask, owner: Browser, eve: User) -> None:
    browsers = [signed_in(app, eve.email) for _ in range(2)]
    assert press(owner, eve, "sessions") == "eve is signed out everywhere."
    assert [browser.get("/chatbots/").status_code for browser in browsers] == [303, 303]
    assert owner.get("/chatbots/").status_code == 200


def test_teams_decide_whose_chatbots_somebody_sees(app: Flask, owner: Browser, eve: User) -> None:
    harbour, office = make_chatbot(title="Harbour").creator, make_chatbot(title="Office").creator
    browser = signed_in(app, eve.email)
    assert press(owner, eve, "teams", creators=str(harbour.id)) == "The teams are changed."
    assert "Harbour" in browser.read("/chatbots/")
    press(owner, eve, "teams", creators=str(office.id))
    page = browser.read("/chatbots/")
    assert "Office" in page
    assert "Harbour" not in page
    assert AuditEvent.select().where(AuditEvent.action == "person.teams").count() == 2


@ONE_ENGINE
def test_the_teams_of_somebody_are_ticked_so_that_one_more_takes_none_away(owner: Browser, eve: User) -> None:
    make_chatbot(title="Office")
    harbour = make_chatbot(user=eve, title="Harbour").creator
    ticked = re.findall(r'<input checked[^>]* name="creators"[^>]* value="(\d+)"', owner.read(f"/people/{eve.id}"))
    assert ticked == [str(harbour.id)]


@ONE_ENGINE
def test_of_two_owners_who_change_the_teams_of_somebody_the_second_learns_of_the_first(
    owner: Browser, eve: User
) -> None:
    harbour, office = make_chatbot(title="Harbour").creator, make_chatbot(title="Office").creator
    path = f"/people/{eve.id}"
    seen = owner.fields(path)
    press(owner, eve, "teams", creators=str(harbour.id))
    owner.send(f"{path}/teams", seen | {"creators": str(office.id)})
    assert "Somebody else has changed the teams of eve@example.org in the meantime." in owner.read(path)
    assert CreatorUser.get(CreatorUser.user == eve).creator == harbour


@ONE_ENGINE
def test_nobody_changes_themselves_on_this_page(owner: Browser) -> None:
    me = User.get()
    for verb in ("close", "sessions"):
        assert owner.submit("/people/invite", to=f"/people/{me.id}/{verb}").status_code == 303
        assert "This is you. Another owner can change it." in owner.read(f"/people/{me.id}")
    assert reloaded(me).is_active
    assert recorded() == []


@pytest.mark.parametrize("verb", [team.close, lambda user: team.change_role(user, VIEWER)])
def test_the_last_owner_stays_an_owner(app: Flask, verb: team.Verb) -> None:
    only = add_user()
    add_user("closed@example.org", is_active=False)
    with pytest.raises(Refused, match="is the only owner"), writing(proxy.obj):
        verb(only)
    assert (reloaded(only).role, reloaded(only).is_active) == (OWNER, True)


def test_of_two_owners_who_put_each_other_out_at_once_one_stays(app: Flask) -> None:
    ann, bob = add_user("ann@example.org"), add_user("bob@example.org")

    def close_bob() -> None:
        with connection(), writing(proxy.obj):
            team.close(bob)

    with ThreadPoolExecutor(1) as other:
        with writing(proxy.obj):
            team.close(ann)
            closing = other.submit(close_bob)
            assert not wait([closing], timeout=0.5).done, "the second waits for what becomes of the first"
        with pytest.raises(Refused, match="is the only owner"):
            closing.result()
    assert [user.email for user in User.select().where(User.is_active)] == [bob.email]


def test_what_somebody_else_has_changed_meanwhile_is_not_overwritten(app: Flask, eve: User) -> None:
    add_user()
    seen = reloaded(eve)
    with writing(proxy.obj):
        team.change_role(eve, VIEWER)
    with pytest.raises(Refused, match="Somebody else has changed"), writing(proxy.obj):
        team.change_role(seen, OWNER)
    assert reloaded(eve).role == VIEWER


@pytest.mark.parametrize("verb", ["close", "role"])
def test_who_may_not_invite_any_more_leaves_no_door_open(app: Flask, owner: Browser, verb: str) -> None:
    bob = add_user("bob@example.org")
    invitations.issue("friend@example.org", OWNER, None, bob)
    kept = invitations.issue("new@example.org", VIEWER, None, User.get(User.email == EMAIL))
    press(owner, bob, verb, role=VIEWER)
    assert [invitation.email for invitation in Invitation.select()] == ["new@example.org"]
    assert invitations.find(kept)


@ONE_ENGINE
def test_a_team_of_nobody_and_a_tampered_one_are_handled(owner: Browser, eve: User) -> None:
    assert "There is no team yet." in owner.read(f"/people/{eve.id}")
    Creator.create(name="Harbour")
    assert owner.submit(f"/people/{eve.id}", to=f"/people/{eve.id}/teams", creators="99").status_code == 400
    assert not CreatorUser.select().exists()

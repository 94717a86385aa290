"""Teams: made, renamed, and removed when nothing belongs to them; and whose a new chatbot is."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from flask import Flask

from service.admin.access import invitations
from service.database import connection, writing
from service.models import EDITOR, OWNER, AuditEvent, Chatbot, Creator, CreatorUser, Invitation, User
from service.models.base import utc_now
from tests.support.chat import make_chatbot
from tests.support.panel import EMAIL, ONE_ENGINE, Browser, add_user, signed_in

TEAMS = "/people/teams"


def said(browser: Browser, path: str = TEAMS) -> str:
    found = re.search(r'role="status">([^<]+)<', browser.read(path))
    assert found
    return unescape(found[1])


def recorded() -> list[tuple[str, str, object]]:
    events = AuditEvent.select().where(AuditEvent.action.startswith("team.")).order_by(AuditEvent.id)
    return [(event.action, event.subject, event.details) for event in events]


def team(name: str = "Harbour") -> Creator:
    return Creator.create(name=name)


def test_a_team_is_made_renamed_and_removed_and_each_is_on_record(owner: Browser) -> None:
    assert "No team yet" in owner.read(TEAMS)
    assert owner.submit(TEAMS, name=" Harbour ").location == TEAMS
    assert said(owner).startswith("Harbour is there.")
    page = f"{TEAMS}/{Creator.get().id}"
    assert owner.submit(page, to=f"{page}/name", name="Port").location == TEAMS
    assert said(owner) == "The team is now called Port."
    assert owner.submit(page, to=f"{page}/remove").location == TEAMS
    assert said(owner) == "Port is removed."
    assert not Creator.select().exists()
    assert recorded() == [
        ("team.create", "Harbour", {}),
        ("team.rename", "Harbour", {"to": "Port"}),
        ("team.remove", "Port", {}),
    ]


def test_the_list_tells_how_much_belongs_to_each(owner: Browser) -> None:
    office = make_chatbot(title="Desk", user=User.get()).creator
    with connection() as database, writing(database):
        invitations.issue("new@example.org", EDITOR, office, User.get())
    cells = re.findall(r'data-label="(?:People|Chatbots)" class="number">([^<]+)<', owner.read(TEAMS))
    assert [cell.strip() for cell in cells] == ["1", "1"]
    assert "+ 1 invited" in owner.read(TEAMS)
    page = owner.read(f"{TEAMS}/{office.id}")
    assert "Desk" in page
    assert EMAIL in page


@pytest.mark.parametrize("belongs", ["chatbot", "person", "invitation"])
def test_a_team_that_something_belongs_to_stays_and_says_what(owner: Browser, belongs: str) -> None:
    creator = team()
    fields = owner.fields(f"{TEAMS}/{creator.id}")
    if belongs == "chatbot":
        Chatbot.create(creator=creator, title="Desk")
    elif belongs == "person":
        CreatorUser.create(creator=creator, user=User.get())
    else:
        with connection() as database, writing(database):
            invitations.issue("new@example.org", EDITOR, creator, User.get())
    assert 'class="btn btn-danger"' not in owner.read(f"{TEAMS}/{creator.id}")
    assert owner.send(f"{TEAMS}/{creator.id}/remove", fields).location == TEAMS
    words = {"chatbot": "1 chatbot", "person": "1 person", "invitation": "1 waiting invitation"}[belongs]
    assert said(owner) == f"Harbour stays as long as something belongs to it. Now: {words}."
    assert Creator.select().count() == 1
    assert recorded() == []


@ONE_ENGINE
def test_an_invitation_that_was_accepted_keeps_no_team(owner: Browser) -> None:
    creator = team()
    day = utc_now() - timedelta(days=1)
    Invitation.create(
        email="e@example.org", role=EDITOR, creator=creator, token_hash="-", expires_at=day, accepted_at=day
    )
    owner.submit(f"{TEAMS}/{creator.id}", to=f"{TEAMS}/{creator.id}/remove")
    assert said(owner) == "Harbour is removed."


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        (" ", "Type a name."),
        ("x" * 121, "At most 120 characters."),
        ("hARBOUR", "There is a team of this name already."),
    ],
)
def test_a_name_that_can_not_be_used_is_refused_and_stays_in_its_field(
    owner: Browser, name: str, complaint: str
) -> None:
    team()
    other = team("Office")
    for page, to in ((TEAMS, TEAMS), (f"{TEAMS}/{other.id}", f"{TEAMS}/{other.id}/name")):
        response = owner.submit(page, to=to, name=name)
        assert response.status_code == 400
        assert complaint in response.text
        assert f'value="{name.strip()}"' in response.text
    assert {creator.name for creator in Creator.select()} == {"Harbour", "Office"}


@ONE_ENGINE
def test_a_name_beyond_ascii_is_not_given_twice(owner: Browser) -> None:
    assert owner.submit("/people/teams", name="Ärger").status_code == 303
    assert owner.submit("/people/teams", name="Ärger").status_code == 400


def test_a_team_may_change_the_case_of_its_name(owner: Browser) -> None:
    page = f"{TEAMS}/{team().id}"
    owner.submit(page, to=f"{page}/name", name="HARBOUR")
    assert Creator.get().name == "HARBOUR"


@ONE_ENGINE
def test_the_list_of_people_tells_their_teams(app: Flask, owner: Browser) -> None:
    eve = add_user("eve@example.org", role=EDITOR)
    assert "none yet" in owner.read("/people/")
    for name in ("Harbour", "Office"):
        CreatorUser.create(creator=team(name), user=eve)
    page = owner.read("/people/")
    assert "Harbour, Office" in page
    assert "all, as an owner" in page


@ONE_ENGINE
def test_an_invitation_from_the_page_of_a_team_is_into_that_team(owner: Browser) -> None:
    team("Office")
    harbour = team()
    page = unescape(owner.read(f"{TEAMS}/{harbour.id}"))
    assert f"/people/invite?team={harbour.id}" in page
    assert owner.fields(f"/people/invite?team={harbour.id}")["creator"] == str(harbour.id)


def test_a_new_chatbot_is_of_the_team_that_was_chosen(app: Flask, owner: Browser) -> None:
    team("Office")
    harbour = team()
    fields = owner.fields("/chatbots/new")
    assert fields["team"] == "0", "else one of the owner's own name is made, as ever"
    assert owner.send("/chatbots/new", fields | {"title": "Desk", "team": str(harbour.id)}).status_code == 303
    assert Chatbot.get().creator == harbour
    assert Creator.select().count() == 2


@ONE_ENGINE
def test_who_is_in_one_team_is_not_asked_and_can_not_choose_another(app: Flask) -> None:
    eve = add_user("eve@example.org", role=EDITOR)
    theirs, other = team("Office"), team()
    CreatorUser.create(creator=theirs, user=eve)
    browser = signed_in(app, eve.email)
    fields = browser.fields("/chatbots/new")
    assert "team" not in fields
    response = browser.send("/chatbots/new", fields | {"title": "Desk", "team": str(other.id)})
    assert response.status_code == 400
    assert not Chatbot.select().exists()
    assert browser.send("/chatbots/new", fields | {"title": "Desk"}).status_code == 303
    assert Chatbot.get().creator == theirs


@ONE_ENGINE
@pytest.mark.parametrize("role", [EDITOR])
def test_teams_are_for_owners(app: Flask, role: str) -> None:
    assert signed_in(app, add_user("eve@example.org", role=role).email).get(TEAMS).status_code == 403
    assert signed_in(app, add_user("olga@example.org", role=OWNER).email).get(TEAMS).status_code == 200

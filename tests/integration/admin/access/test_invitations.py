"""How somebody new comes in: by a link, once, within a week."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from flask import Flask

from service.admin.access import invitations
from service.admin.access.accounts import Refused
from service.database import connection
from service.models import EDITOR, OWNER, VIEWER, AuditEvent, CreatorUser, Invitation, User
from service.models.base import utc_now
from tests.support.chat import make_chatbot
from tests.support.panel import ONE_ENGINE, PASSWORD_HASH, Browser, add_user, at_once, fields_of

NEW = "new@example.org"
CHOSEN = {"name": "Nell", "password": "quite a good sentence", "again": "quite a good sentence"}


def link_in(page: str) -> str:
    """The path of the link that a page shows."""
    found = re.search(r">http://localhost(/welcome/[^<]+)<", page)
    assert found, "the page shows no link"
    return unescape(found[1])


def invite(owner: Browser, email: str = NEW, **typed: str) -> str:
    return link_in(owner.submit("/people/invite", email=email, **typed).text)


def expire() -> None:
    Invitation.update(expires_at=utc_now() - timedelta(seconds=1)).execute()


def test_an_invited_person_chooses_a_password_and_is_in(app: Flask, owner: Browser) -> None:
    chatbot = make_chatbot(title="Harbour desk")
    link = invite(owner, " New@Example.org ", role=EDITOR, creator=str(chatbot.creator.id))
    assert NEW in owner.read("/people/")
    browser = Browser(app)
    assert "dana invites you as editor" in browser.read(link)
    assert browser.submit(link, **CHOSEN).location == "/"
    assert "Harbour desk" in browser.read("/chatbots/")
    user = User.get(User.email == NEW)
    assert (user.name, user.role, CreatorUser.get().user) == ("Nell", EDITOR, user)
    assert Browser(app).sign_in(NEW, CHOSEN["password"]).status_code == 303
    assert "Invited" not in owner.read("/people/")
    actions = [event.action for event in AuditEvent.select().order_by(AuditEvent.id)]
    assert actions == ["session.begin", "invitation.issue", "invitation.accept", "session.begin", "session.begin"]


def test_a_link_works_once(app: Flask, owner: Browser) -> None:
    link = invite(owner)
    browser, late = Browser(app), Browser(app)
    fields = late.fields(link) | CHOSEN
    browser.submit(link, **CHOSEN)
    assert late.send(link, fields).status_code == 404
    refused = late.get(link)
    assert refused.status_code == 404
    assert "This invitation opens nothing any more." in refused.text
    assert User.select().count() == 2


def test_of_two_who_accept_at_once_one_gets_in(app: Flask) -> None:
    token = invitations.issue(NEW, VIEWER, None, add_user())
    refusals = []

    def accept() -> None:
        with connection():
            try:
                invitations.accept(token, "Nell", PASSWORD_HASH, None)
            except Refused as refusal:
                refusals.append(str(refusal))

    at_once(4, accept)
    assert User.select().where(User.email == NEW).count() == 1
    assert len(refusals) == 3


def test_an_invitation_ends_after_a_week_and_can_be_renewed(app: Flask, owner: Browser) -> None:
    link = invite(owner)
    assert timedelta(days=6.9) < Invitation.get().expires_at - utc_now() <= timedelta(days=7)
    expire()
    assert Browser(app).get(link).status_code == 404
    assert "expired" in owner.read("/people/")
    renewed = link_in(owner.submit("/people/", to=f"/people/invitations/{Invitation.get().id}/renew").text)
    assert Browser(app).get(link).status_code == 404, "the old link stays dead"
    assert Browser(app).submit(renewed, **CHOSEN).status_code == 303


def test_a_withdrawn_invitation_opens_nothing(app: Flask, owner: Browser) -> None:
    link = invite(owner)
    number = Invitation.get().id
    asking = f"/people/invitations/{number}/withdraw"
    assert f'href="{asking}"' in owner.read("/people/"), "the list does not withdraw it yet, it leads to the question"
    assert "The link that they were given opens nothing any more." in owner.read(asking)
    owner.submit(asking)
    assert "is withdrawn: its link opens nothing any more." in owner.read("/people/")
    assert Browser(app).get(link).status_code == 404
    assert owner.submit("/people/", to=f"/people/invitations/{number}/renew").status_code == 404


@ONE_ENGINE
def test_what_was_accepted_meanwhile_can_be_neither_renewed_nor_withdrawn(app: Flask, owner: Browser) -> None:
    link = invite(owner)
    fields = owner.fields("/people/")
    Browser(app).submit(link, **CHOSEN)
    for verb in ("renew", "withdraw"):
        answer = owner.send(f"/people/invitations/{Invitation.get().id}/{verb}", fields)
        assert answer.location == "/people/"
        assert "was accepted or withdrawn in the meantime" in owner.read("/people/")
    assert owner.get(f"/people/invitations/{Invitation.get().id}/withdraw").location == "/people/"


@ONE_ENGINE
def test_a_second_invitation_takes_the_place_of_the_first(app: Flask, owner: Browser) -> None:
    first, second = invite(owner, role=OWNER), invite(owner, role=VIEWER)
    assert Browser(app).get(first).status_code == 404
    assert "invites you as viewer" in Browser(app).read(second)


@ONE_ENGINE
@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ({"email": ""}, "Type an email address."),
        ({"email": "nell"}, "That is not an email address"),
        ({"email": "Dana@example.org"}, "dana@example.org has an account already."),
        ({"email": NEW, "role": "boss"}, "Not a valid choice."),
        ({"email": NEW, "creator": "99"}, "Not a valid choice."),
    ],
)
def test_an_invitation_that_makes_no_sense_is_refused(owner: Browser, typed: dict[str, str], complaint: str) -> None:
    response = owner.submit("/people/invite", **typed)
    assert response.status_code == 400
    assert complaint in response.text
    assert fields_of(response.text)["email"] == typed["email"]
    assert not Invitation.select().exists()


@ONE_ENGINE
@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ({"name": " "}, "Type your name."),
        ({"password": "short", "again": "short"}, "At least 10 characters"),
        ({"again": "quite another one"}, "That is not the same password."),
    ],
)
def test_a_name_and_a_long_password_are_needed(
    app: Flask, owner: Browser, typed: dict[str, str], complaint: str
) -> None:
    link = invite(owner)
    response = Browser(app).submit(link, **CHOSEN | typed)
    assert response.status_code == 400
    assert complaint in response.text
    assert "quite a good" not in response.text, "a password is never sent back"
    assert User.select().count() == 1


@ONE_ENGINE
def test_who_got_an_account_in_another_way_is_told_so(app: Flask, owner: Browser) -> None:
    link = invite(owner)
    add_user(NEW)
    response = Browser(app).submit(link, **CHOSEN)
    assert response.status_code == 409
    assert "There is an account with this email by now. Sign in with it." in response.text


@ONE_ENGINE
def test_the_link_itself_is_kept_nowhere(owner: Browser) -> None:
    token = invite(owner).rpartition("/")[2]
    assert token not in owner.read("/people/")
    kept = [*Invitation.select().dicts(), *AuditEvent.select().dicts()]
    assert token not in str(kept)


@ONE_ENGINE
@pytest.mark.parametrize("token", ["x", "%00", "a" * 2000, "ä"])
def test_a_made_up_link_is_refused_politely(app: Flask, token: str) -> None:
    assert Browser(app).get(f"/welcome/{token}").status_code == 404

from __future__ import annotations

import re

import pytest
from flask import Flask

from service.models import VIEWER, AuditEvent, Persona, User
from tests.support.panel import ONE_ENGINE, Browser, add_user, fields_of, signed_in


def actions() -> list[tuple[str, str, str]]:
    return [(event.actor, event.action, event.subject) for event in AuditEvent.select().order_by(AuditEvent.id)]


@ONE_ENGINE
def test_without_a_persona_the_page_says_what_one_is(browser: Browser) -> None:
    page = browser.read("/personas/")
    assert "No persona yet" in page
    assert 'href="/personas/new"' in page


def test_a_persona_is_made_changed_and_deactivated_and_each_is_on_record(browser: Browser) -> None:
    made = browser.submit("/personas/new", name=" Pirate ", instructions="Say\r\naye.", color="#ffd400")
    assert (made.status_code, made.location) == (303, "/personas/")
    pirate = Persona.get()
    assert (pirate.user, pirate.name, pirate.instructions) == (User.get(), "Pirate", "Say\naye.")
    page = browser.read("/personas/")
    assert 'fill="#ffd400"' in page
    assert 'fill="#000000">P</text>' in page, "dark ink on a light colour"

    browser.submit(f"/personas/{pirate.id}", name="Old pirate")
    browser.submit("/personas/", to=f"/personas/{pirate.id}/state", active="no")
    pirate = Persona.get()
    assert (pirate.name, pirate.instructions, pirate.is_active) == ("Old pirate", "Say\naye.", False)
    assert "not active" in browser.read("/personas/")
    browser.submit("/personas/", to=f"/personas/{pirate.id}/state", active="yes")
    assert Persona.get().is_active
    assert actions()[-4:] == [
        ("dana@example.org", "persona.create", "Pirate"),
        ("dana@example.org", "persona.edit", "Pirate"),
        ("dana@example.org", "persona.deactivate", "Old pirate"),
        ("dana@example.org", "persona.activate", "Old pirate"),
    ]
    assert AuditEvent.get(action="persona.edit").details == {"changed": ["name"]}


@ONE_ENGINE
def test_each_new_persona_is_offered_another_colour(browser: Browser) -> None:
    colors = set()
    for number in range(3):
        colors.add(browser.fields("/personas/new")["color"])
        browser.submit("/personas/new", name=f"Number {number}")
    assert len(colors) == 3


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ({"name": "  "}, "Give the persona a name."),
        ({"name": "x" * 121}, "At most 120 characters."),
        ({"name": "PIRATE"}, "You have a persona of this name already; choose another."),
        ({"name": "New", "color": "red"}, "Choose a colour, or type one such as #0b6e75."),
        ({"name": "New", "color": ""}, "Choose a colour, or type one such as #0b6e75."),
        ({"name": "New", "instructions": "a\0b"}, "This holds a character that can&#39;t be stored"),
    ],
)
def test_what_can_not_be_saved_is_explained_and_kept_as_it_was_typed(
    browser: Browser, typed: dict[str, str], complaint: str
) -> None:
    browser.submit("/personas/new", name="Pirate")
    response = browser.submit("/personas/new", **{"description": "What I typed", **typed})
    assert response.status_code == 400
    assert complaint in response.text
    assert "What I typed" in response.text
    assert Persona.select().count() == 1


@ONE_ENGINE
def test_a_persona_may_keep_its_own_name(browser: Browser) -> None:
    browser.submit("/personas/new", name="Pirate")
    path = f"/personas/{Persona.get().id}"
    assert browser.submit(path, name="Pirate", description="Wild").status_code == 303
    assert Persona.get().description == "Wild"


def test_two_tabs_do_not_overwrite_each_other(browser: Browser) -> None:
    browser.submit("/personas/new", name="Pirate", description="Wild")
    path = f"/personas/{Persona.get().id}"
    first, second = ({**browser.fields(path), "description": words} for words in ("Calm", "<b>Loud</b>"))
    assert browser.send(path, first).status_code == 303
    assert browser.send(path, first).status_code == 303, "the same once more is no quarrel"
    late = browser.send(path, second)
    assert late.status_code == 409
    assert "changed elsewhere while you were typing" in late.text
    assert re.findall(r"Now: [^<]+", late.text) == ["Now: “Calm”."]
    assert Persona.get().description == "Calm"
    assert browser.send(path, fields_of(late.text)).status_code == 303, "what was typed is kept, and may now be saved"
    assert Persona.get().description == "<b>Loud</b>"


def test_somebody_elses_persona_is_not_there(app: Flask, browser: Browser) -> None:
    theirs = Persona.create(user=add_user("eve@example.org"), name="Mermaid")
    assert "Mermaid" not in browser.read("/personas/")
    assert browser.get(f"/personas/{theirs.id}").status_code == 404
    for path in (f"/personas/{theirs.id}", f"/personas/{theirs.id}/state"):
        assert browser.submit("/personas/new", to=path, name="Mine", active="no").status_code == 404
    assert browser.submit("/personas/new", name="Mermaid").status_code == 303, "names are one's own"
    kept = Persona.get_by_id(theirs.id)
    assert (kept.name, kept.is_active) == ("Mermaid", True)


@ONE_ENGINE
def test_a_viewer_is_shown_their_personas_and_offered_no_change(app: Flask) -> None:
    viewer = add_user("vera@example.org", role=VIEWER)
    Persona.create(user=viewer, name="Pirate")
    page = signed_in(app, viewer.email).read("/personas/")
    assert "Pirate" in page
    assert not re.search(r"/personas/(new|\d)", page)

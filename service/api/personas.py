"""Your personas: as whom a chatbot may speak."""

from __future__ import annotations

from typing import Annotated

from flask import g
from pydantic import Field

from service.api import changes
from service.api.endpoints import Group
from service.api.problems import Problem
from service.api.records import find_persona
from service.api.shapes import PersonaAnswer
from service.api.tokens import READ, WRITE
from service.api.values import NOT_BLANK, TEXT, Page, Paging, Request, page_of
from service.chat import personas
from service.database import proxy, writing
from service.models import Persona

group = Group("Personas", "As whom a chatbot may speak. Everybody has their own.")

Name = Annotated[str, Field(max_length=120, pattern=NOT_BLANK)]
Color = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]


class PersonaChanges(Request):
    """What is left out stays as it is."""

    name: Name = ""
    description: Annotated[str, Field(max_length=300, pattern=TEXT)] = ""
    instructions: Annotated[str, Field(max_length=20_000, pattern=TEXT)] = ""
    color: Color = "#6c757d"
    is_active: bool = True


class NewPersona(PersonaChanges):
    name: Name


@group.get("/personas", scope=READ, query=Paging, answer=Page[PersonaAnswer])
def index(query: Paging) -> Page[PersonaAnswer]:
    """Your personas, the newest first."""
    rows, cursor = page_of(personas.own(g.user), Persona, query)
    return Page(items=[PersonaAnswer.of(row) for row in rows], next_cursor=cursor)


@group.post("/personas", scope=WRITE, body=NewPersona, answer=PersonaAnswer, status=201, refusals=(409,))
def create(body: NewPersona) -> PersonaAnswer:
    """Make a persona. Its name is not to be that of another of yours."""
    with writing(proxy.obj):
        _refuse_namesake(body.name)
        persona = Persona.create(user=g.user, **body.model_dump())
        changes.note("persona.create", persona.name)
    return PersonaAnswer.of(persona)


@group.get("/personas/<int:persona_id>", scope=READ, answer=PersonaAnswer)
def show(persona_id: int) -> PersonaAnswer:
    """One persona."""
    return PersonaAnswer.of(find_persona(persona_id))


@group.patch("/personas/<int:persona_id>", scope=WRITE, body=PersonaChanges, answer=PersonaAnswer, refusals=(409,))
def change(persona_id: int, body: PersonaChanges) -> PersonaAnswer:
    """Change a persona; the next answer speaks that way."""
    persona = find_persona(persona_id)
    given = body.model_dump(exclude_unset=True)
    with writing(proxy.obj):
        if "name" in given:
            _refuse_namesake(given["name"], persona)
        if given and Persona.update(given).where(Persona.id == persona.id).execute():
            changes.note("persona.edit", persona.name, changed=sorted(given))
    return PersonaAnswer.of(find_persona(persona_id))


@group.delete("/personas/<int:persona_id>", scope=WRITE, status=204, refusals=(409,))
def delete(persona_id: int) -> None:
    """Delete a persona that never spoke.

    One that did stays with what it said: 409. Set `is_active` to false, and it speaks no more."""
    persona = find_persona(persona_id)
    with writing(proxy.obj):
        if personas.has_spoken(persona):
            raise Problem(
                409, "It has spoken already, or was chosen to. Set is_active to false instead.", code="in_use"
            )
        if not Persona.delete().where(Persona.id == persona.id).execute():
            raise Problem(404)
        changes.note("persona.delete", persona.name)


def _refuse_namesake(name: str, persona: Persona | None = None) -> None:
    if personas.is_taken(g.user, name, besides=persona):
        raise Problem(409, "You have a persona of this name already.", code="name_taken")

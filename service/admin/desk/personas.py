"""The personas of the person who is signed in: as whom a chatbot may speak to them."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from service import audit
from service.admin.access.permissions import needs
from service.admin.parts.color import PALETTE
from service.admin.parts.forms import PersonaForm
from service.admin.parts.kept import shown_again
from service.admin.parts.records import find_among
from service.chat import personas
from service.database import proxy, writing
from service.models import EDITOR, Persona
from service.models.base import caseless

pages = Blueprint("personas", __name__, url_prefix="/personas")


@pages.get("/")
def index() -> str:
    listed = personas.own(g.user).order_by(Persona.is_active.desc(), caseless(Persona.name), Persona.id)
    return render_template("personas/index.html", personas=list(listed))


@pages.get("/new")
@needs(EDITOR)
def new() -> str:
    return _form_page(PersonaForm(color=PALETTE[personas.own(g.user).count() % len(PALETTE)]), None)


@pages.post("/new")
@shown_again(PersonaForm)
def create() -> Response | tuple[str, int]:
    form = PersonaForm(request.form)
    with writing(proxy.obj):
        if not _is_valid(form, None):
            return _form_page(form, None), 400
        persona = Persona.create(user=g.user, **form.settings())
        _note("persona.create", persona)
    flash(f"{persona.name} is there. Choose them when you begin a talk.", "success")
    return redirect(url_for("personas.index"), 303)


@pages.get("/<int:persona_id>")
@needs(EDITOR)
def edit(persona_id: int) -> str:
    persona = _find(persona_id)
    return _form_page(PersonaForm(obj=persona, seen=_stamp(persona)), persona)


@pages.post("/<int:persona_id>")
@shown_again(PersonaForm)
def change(persona_id: int) -> Response | tuple[str, int]:
    persona = _find(persona_id)
    form = PersonaForm(request.form)
    with writing(proxy.obj):
        if not _is_valid(form, persona):
            return _form_page(form, persona), 400
        # Again, now that nobody else changes one of this person's.
        persona = _find(persona_id)
        present = _different(form, persona)
        if present and form.seen.data != _stamp(persona):
            form.seen.data = _stamp(persona)
            return _form_page(form, persona, present), 409
        _update(persona, **form.settings())
        _note("persona.edit", persona, changed=list(present))
    flash(f"{form.name.data} is changed. The next answer speaks that way.", "success")
    return redirect(url_for("personas.index"), 303)


@pages.post("/<int:persona_id>/state")
def switch(persona_id: int) -> Response:
    """Deactivate or activate: what was said as this persona stays as it is either way."""
    persona = _find(persona_id)
    is_active = request.form.get("active") == "yes"
    with writing(proxy.obj):
        _update(persona, is_active=is_active)
        _note("persona.activate" if is_active else "persona.deactivate", persona)
    flash(f"{persona.name} can be chosen {'again' if is_active else 'no more'}.", "success")
    return redirect(url_for("personas.index"), 303)


def _find(number: int) -> Persona:
    return find_among(personas.own(g.user), Persona, number)


def _update(persona: Persona, **values: object) -> None:
    Persona.update(values).where(Persona.id == persona.id, Persona.user == g.user).execute()


def _note(action: str, persona: Persona, **details: object) -> None:
    audit.record(g.user, action, persona.name, address=request.remote_addr, details=details)


def _is_valid(form: PersonaForm, persona: Persona | None) -> bool:
    """Also against the other personas."""
    if not form.validate():
        return False
    if personas.is_taken(g.user, form.name.data or "", besides=persona):
        form.name.errors = ["You have a persona of this name already; choose another."]
    return not form.name.errors


def _stamp(persona: Persona) -> str:
    words = (persona.name, persona.description, persona.instructions, persona.color)
    return sha256("\0".join(words).encode()).hexdigest()


def _different(form: PersonaForm, persona: Persona) -> dict[str, str]:
    """What stands there now, where that is not what was typed."""
    present = {name: getattr(persona, name) for name in form.settings()}
    return {name: value for name, value in present.items() if value != form[name].data}


def _form_page(form: PersonaForm, persona: Persona | None, now: Mapping[str, str] | None = None) -> str:
    """With what stands there now, for whoever was late."""
    return render_template("personas/form.html", form=form, persona=persona, now=now or {})

"""Changing: the forms for a new row, for a row that is there, and the question before one is deleted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import peewee as pw
from flask import flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from service.admin.access.permissions import needs
from service.admin.parts import errors
from service.admin.parts.kept import is_shown_again, shown_again
from service.admin.studio import cascade, changes, entry, guards, keys
from service.admin.studio.catalog import Catalog, ForeignKey
from service.admin.studio.patience import limited
from service.admin.studio.place import find_row, find_table, pages, who
from service.admin.studio.rows import Key, Row, Source
from service.database import proxy
from service.faults import is_outage
from service.models import OWNER


@pages.get("/new/<path:table>")
@needs(OWNER)
def new(table: str) -> str | tuple[str, int]:
    source, _found = find_table(table)
    if refusal := guards.of_insert(source.table):
        return errors.page(403, ("Nothing can be added here", refusal))
    return _form(source, entry.blank(source))


@pages.post("/new/<path:table>")
@needs(OWNER)
@shown_again()
def insert(table: str) -> AnyResponse | tuple[str, int]:
    source, found = find_table(table)
    fields = entry.blank(source)
    values = entry.typed(source, fields, request.form, is_new=True)
    if is_shown_again() or any(field.problem for field in fields):
        return _form(source, fields), 400
    try:
        with limited(proxy.obj):
            key = changes.insert(source, values, who())
    except changes.Refusal as refusal:
        return errors.page(403, ("Nothing can be added here", str(refusal)))
    except pw.PeeweeException as error:
        return _form(source, fields, said=_refused(source, found, fields, values, error)), 400
    flash(f"The row was added to {table}.", "success")
    return redirect(url_for(".show", table=table, row=keys.as_part(source.table, key)), 303)


@pages.get("/edit/<path:table>/<row>")
@needs(OWNER)
def edit(table: str, row: str) -> str | tuple[str, int]:
    source, _found = find_table(table)
    _key, there = find_row(source, row)
    if refusal := guards.of_table(source.table):
        return errors.page(403, ("This row stays as it is", refusal))
    return _form(source, entry.filled(source, there), part=row, seen=changes.stamp(there))


@pages.post("/edit/<path:table>/<row>")
@needs(OWNER)
@shown_again()
def update(table: str, row: str) -> AnyResponse | tuple[str, int]:
    source, found = find_table(table)
    key, there = find_row(source, row)
    fields = entry.filled(source, there)
    values = entry.typed(source, fields, request.form, is_new=False)
    seen = request.form.get("seen", "")
    if is_shown_again() or any(field.problem for field in fields):
        return _form(source, fields, part=row, seen=seen), 400
    try:
        with limited(proxy.obj):
            changes.update(source, key, values, seen, who())
    except changes.Stale as stale:
        return _conflict(source, row, fields, stale)
    except changes.Refusal as refusal:
        return errors.page(403, ("This row stays as it is", str(refusal)))
    except pw.PeeweeException as error:
        return _form(source, fields, part=row, seen=seen, said=_refused(source, found, fields, values, error)), 400
    flash(f"Changed: {', '.join(values)}." if values else "Nothing was different, so nothing was written.", "success")
    return redirect(url_for(".show", table=table, row=row), 303)


@pages.get("/delete/<path:table>/<row>")
@needs(OWNER)
def confirm(table: str, row: str) -> str:
    source, found = find_table(table)
    key, there = find_row(source, row)
    return _confirmation(source, found, row, key, there)


@pages.post("/delete/<path:table>/<row>")
@needs(OWNER)
def delete(table: str, row: str) -> AnyResponse | tuple[str, int]:
    source, found = find_table(table)
    key, there = find_row(source, row)
    try:
        with limited(proxy.obj):
            changes.delete(source, found, key, request.form.get("seen", ""), who())
    except changes.Stale:
        return _confirmation(source, found, row, key, there, "The row was changed meanwhile: look at it again."), 409
    except changes.Refusal as refusal:
        return _confirmation(source, found, row, key, there, str(refusal)), 409
    except pw.PeeweeException as error:
        return _confirmation(source, found, row, key, there, _said(error)), 409
    flash(f"The row is gone from {table}.", "success")
    return redirect(url_for(".listing", table=table), 303)


def _form(source: Source, fields: list[entry.Field], *, part: str = "", seen: str = "", said: str = "") -> str:
    return render_template(
        "studio/form.html", table=source.table, fields=fields, part=part, seen=seen, said=said, now=None
    )


def _conflict(source: Source, part: str, fields: list[entry.Field], stale: changes.Stale) -> tuple[str, int]:
    """What was typed stays, beside what stands there now."""
    if stale.now is None:
        return errors.page(409, ("This row is gone", "Somebody deleted it while you were typing."))
    now = {field.column.name: field for field in entry.filled(source, stale.now)}
    seen = changes.stamp(stale.now)
    return render_template("studio/form.html", table=source.table, fields=fields, part=part, seen=seen, now=now), 409


def _confirmation(source: Source, found: Catalog, part: str, key: Key, there: Row, problem: str = "") -> str:
    with limited(proxy.obj):
        cost = cascade.cost(proxy.obj, found, source.table, key)
    return render_template(
        "studio/delete.html",
        table=source.table,
        part=part,
        cost=cost,
        problem=problem,
        seen=changes.stamp(there),
        undeletable=guards.of_delete(source.table, changes.by_name(source.table, there)),
        named=lambda link: _named(found, link, cost),
    )


def _named(found: Catalog, link: ForeignKey, cost: cascade.Cost) -> Iterator[str]:
    source = Source(proxy.obj, found.tables[link.table])
    for key in cost.held[link][: cascade.NAMED]:
        yield keys.as_part(source.table, key)


def _refused(
    source: Source, found: Catalog, fields: list[entry.Field], values: dict[str, Any], error: pw.PeeweeException
) -> str:
    """Why, in the database's words; nothing where a field says it better."""
    said = _said(error)
    return "" if entry.blame(source, found, fields, values) else said


def _said(error: pw.PeeweeException) -> str:
    """The database's own reason, in one line; an outage is another page's business."""
    if is_outage(error) and "database is locked" not in str(error):
        raise error
    return (str(error).splitlines() or ["no reason"])[0]

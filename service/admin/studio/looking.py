"""Looking: the tables, what they are made of, their rows, one row, and rows as a file."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import peewee as pw
from flask import Response, abort, g, render_template, request, stream_with_context, url_for

from service import audit
from service.admin.access.permissions import needs
from service.admin.studio import catalog, changes, counts, entry, export, guards, keys, kinds, rows
from service.admin.studio.catalog import Catalog, Column, ForeignKey, Table
from service.admin.studio.patience import limited
from service.admin.studio.place import find_row, find_table, pages
from service.admin.studio.rows import BadFilter, Filter, Page, Row, Source, View
from service.database import proxy, writing
from service.models import OWNER

# Where a value of a foreign key leads.
Address = Callable[[ForeignKey, str], str]


class Cell(NamedTuple):
    """A value as a list shows it: None where it is NULL, and where it leads, if it is a foreign key's."""

    column: Column
    text: str | None
    leads_to: str = ""


class Line(NamedTuple):
    """A row as a list shows it; `part` is its part of an address."""

    part: str
    cells: list[Cell]


@pages.get("/")
@needs(OWNER)
def index() -> str:
    found = catalog.read(proxy.obj)
    with limited(proxy.obj):
        numbers = counts.of_tables(proxy.obj, found)
    return render_template("studio/index.html", catalog=found, counts=numbers, guards=guards)


@pages.get("/table/<path:table>")
@needs(OWNER)
def table(table: str) -> str:
    """What the table is: columns, keys, indexes."""
    source, found = find_table(table)
    indexes = catalog.indexes(proxy.obj, source.table)
    return render_template("studio/table.html", table=source.table, indexes=indexes, catalog=found, guards=guards)


@pages.get("/rows/<path:table>")
@needs(OWNER)
def listing(table: str) -> str | tuple[str, int]:
    source, found = find_table(table)
    view = _view()
    after = keys.read(source, view.after) if view.after else None
    try:
        with limited(proxy.obj):
            page = source.page(view, after)
    except BadFilter as problem:
        return _listing(source, found, view, Page([], False), str(problem)), 400
    return _listing(source, found, view, page)


@pages.get("/csv/<path:table>")
@needs(OWNER)
def download(table: str) -> Response | tuple[str, int]:
    source, found = find_table(table)
    view = _view()
    if not source.table.key:
        abort(404)
    try:
        source.select(view, None, 0)
    except BadFilter as problem:
        return _listing(source, found, view, Page([], False), str(problem)), 400
    with writing(proxy.obj):
        columns = [one.column for one in view.filters]
        audit.record(g.user, "data.export", table, address=request.remote_addr, details={"filtered_by": columns})
    answer = Response(stream_with_context(export.pieces(source, view)), mimetype="text/csv")
    answer.headers.set("Content-Disposition", "attachment", filename=f"{table}.csv")
    return answer


@pages.get("/row/<path:table>/<row>")
@needs(OWNER)
def show(table: str, row: str) -> str:
    source, found = find_table(table)
    _key, there = find_row(source, row)
    with limited(proxy.obj):
        links = [(link, *_referring(found, link, source, there)) for link in found.referring(table)]
    return render_template(
        "studio/row.html",
        table=source.table,
        fields=entry.filled(source, there),
        part=row,
        links=[(link, view, number) for link, view, number in links if view],
        refusal=guards.of_table(source.table),
        undeletable=guards.of_delete(source.table, changes.by_name(source.table, there)),
        address=_address(found),
    )


def _view() -> View:
    given = [request.args.getlist(name) for name in ("column", "op", "value")]
    length = len(given[0])
    padded = [values[:length] + [""] * (length - len(values)) for values in given]
    filters = tuple(Filter(*parts) for parts in zip(*padded, strict=True) if parts[0])
    arguments = request.args
    return View(filters, arguments.get("sort", ""), arguments.get("dir") == "desc", arguments.get("after", ""))


def _listing(source: Source, found: Catalog, view: View, page: Page, problem: str = "") -> str:
    last = page.rows[-1].key if page.rows and page.has_more and source.table.key else None
    return render_template(
        "studio/rows.html",
        table=source.table,
        view=view,
        page=page,
        problem=problem,
        rows=_lines(source.table, page.rows, _address(found)),
        after=keys.as_part(source.table, last) if last else "",
        operators=rows.OPERATORS,
        refusal=guards.of_insert(source.table),
    )


def _lines(table: Table, found: list[Row], address: Address) -> list[Line]:
    columns = [(column, table.link_of(column.name)) for column in table.shown]
    return [
        Line(
            keys.as_part(table, row.key),
            [_cell(column, link, value, address) for (column, link), value in zip(columns, row.cells, strict=True)],
        )
        for row in found
    ]


def _cell(column: Column, link: ForeignKey | None, value: Any, address: Address) -> Cell:
    if value is None:
        return Cell(column, None)
    text = kinds.as_text(value, column.kind)
    shown = f"{text[: rows.CUT]}…" if len(text) > rows.CUT else text
    return Cell(column, shown, address(link, text) if link else "")


def _address(found: Catalog) -> Address:
    """Where a value of a foreign key leads: to the row, if the key points at a primary key, else to all like that."""

    @functools.cache  # many rows of a page lead to the same few
    def address(link: ForeignKey, text: str) -> str:
        parent = found.tables[link.parent]
        if parent.key == link.parent_columns:
            return url_for(".show", table=link.parent, row=keys.as_part(parent, (text,)))
        return url_for(".listing", table=link.parent, column=link.parent_columns[0], op="is", value=text)

    return address


def _referring(found: Catalog, link: ForeignKey, source: Source, there: Row) -> tuple[View | None, counts.Count]:
    """The rows that point at this one, as a view to go to, and how many."""
    values = changes.by_name(source.table, there) | dict(zip(source.table.key, there.key, strict=True))
    wanted = [(name, values.get(target)) for name, target in zip(link.columns, link.parent_columns, strict=True)]
    if any(value is None for _, value in wanted):
        return None, counts.Count(0)
    child = Source(proxy.obj, found.tables[link.table])
    conditions = [child.field(name) == value for name, value in wanted]
    number = counts.of_query(proxy.obj, child.entity.select(pw.SQL("1 AS one")).where(*conditions))
    return View(tuple(Filter(name, "is", kinds.as_text(value, "other")) for name, value in wanted)), number

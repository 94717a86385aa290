"""What every page of the data browser begins with: its table and its row, looked up by the names in the address."""

from __future__ import annotations

from flask import Blueprint, abort, g, request

from service.admin.parts import errors
from service.admin.studio import catalog, changes, keys
from service.admin.studio.catalog import Catalog
from service.admin.studio.patience import TooSlow
from service.admin.studio.rows import Key, Row, Source
from service.database import proxy

pages = Blueprint("studio", __name__, url_prefix="/studio")


@pages.errorhandler(TooSlow)
def _too_slow(error: TooSlow) -> tuple[str, int]:
    return errors.page(503, ("That is too much for one page", str(error)))


def who() -> changes.Who:
    return changes.Who(g.user, request.remote_addr)


def find_table(name: str) -> tuple[Source, Catalog]:
    """The table that an address names. The name is only ever looked up: what goes into SQL is the catalog's own."""
    found = catalog.read(proxy.obj)
    if name not in found.tables:
        abort(404)
    return Source(proxy.obj, found.tables[name]), found


def find_row(source: Source, part: str) -> tuple[Key, Row]:
    key = keys.read(source, part) if source.table.key else None
    there = source.one(key) if key else None
    if key is None or there is None:
        abort(404)
    return key, there

"""The data browser, for owners: every table of the live database, its rows, and changes that are written down."""

from __future__ import annotations

from service.admin.studio import changing, looking
from service.admin.studio.place import pages

__all__ = ["changing", "looking", "pages"]

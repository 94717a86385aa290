"""Finding the one record that an address names."""

from __future__ import annotations

from typing import TypeVar

import peewee as pw
from flask import abort

# What an integer column of PostgreSQL can hold.
LARGEST_ID = 2**31 - 1
Record = TypeVar("Record", bound=pw.Model)


def find(model: type[Record], number: int) -> Record:
    """The record, or the 404 page. A number beyond the column is a 404 too, not an error of the database."""
    found = model.get_or_none(model._meta.primary_key == number) if number <= LARGEST_ID else None
    if found is None:
        abort(404)
    return found

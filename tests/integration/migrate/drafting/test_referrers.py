"""Drafts that change a key to which others refer: these go first, or let go of it meanwhile, there and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import peewee as pw
import pytest

from service.migrate.drafting.renames import Wishes
from service.url import DatabaseUrl
from tests.support.drafts import Studio
from tests.support.migrations import rows

NO_RENAME = Wishes(none=True)
PLAIN = "a plain column"


class Spec(NamedTuple):
    """A table with the columns one and two; `to` is the table that its parent refers to, `keyed`: one and two are its
    key."""

    name: str
    to: str = ""
    keyed: bool = False
    null: bool = True


reference: Any = pw.ForeignKeyField


def models(*specs: Spec) -> list[type[pw.Model]]:
    made: dict[str, type[pw.Model]] = {}
    for spec in specs:
        fields: dict[str, Any] = {"one": pw.IntegerField(), "two": pw.IntegerField()}
        if spec.to == PLAIN:
            fields["parent"] = pw.IntegerField(null=True, column_name="parent_id")
        elif spec.to in made:
            fields["parent"] = reference(made[spec.to], null=spec.null, backref="+")
        elif spec.to:
            fields["parent"] = pw.DeferredForeignKey(spec.to, null=spec.null, backref="+")
        key = {"primary_key": pw.CompositeKey("one", "two")} if spec.keyed else {}
        meta = type("Meta", (), {"table_name": spec.name.lower(), **key})
        made[spec.name] = type(spec.name, (pw.Model,), {**fields, "Meta": meta})
    return list(made.values())


A, B, C = "Alpha", "Beta", "Gamma"
# Before and after; each leads to the other and back.
CHANGES = {
    "a circle comes": ([Spec(A, keyed=True)], [Spec(A, B), Spec(B, A)]),
    "a circle in which all have a parent": ([Spec(A, keyed=True)], [Spec(A, B, null=False), Spec(B, A, null=False)]),
    "a circle of tables that were there": ([Spec(A, keyed=True), Spec(B)], [Spec(A, B), Spec(B, A)]),
    "a triangle comes": ([Spec(A, keyed=True)], [Spec(A, B), Spec(B, C), Spec(C, A)]),
    "others refer elsewhere": ([Spec(A), Spec(B, A), Spec(C)], [Spec(A, keyed=True), Spec(B, C), Spec(C)]),
    "others refer to what is new": ([Spec(A), Spec(B, A)], [Spec(A, keyed=True), Spec(B, C), Spec(C)]),
    "others refer no longer": ([Spec(A), Spec(B, A)], [Spec(A, keyed=True), Spec(B, PLAIN)]),
    "who referred goes": ([Spec(A), Spec(B, A), Spec(C, B)], [Spec(A, keyed=True), Spec(C, C)]),
    "a circle turns": ([Spec(A, B), Spec(B, A), Spec(C)], [Spec(A, C, keyed=True), Spec(B, C), Spec(C)]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_key_that_others_refer_to(database_url: DatabaseUrl, tmp_path: Path, change: str) -> None:
    before, after = CHANGES[change]
    studio = Studio(database_url, tmp_path)
    studio.perfect(*models(*before), wishes=NO_RENAME)
    studio.perfect(*models(*after), wishes=NO_RENAME)


def test_what_was_referred_to_is_kept_while_a_reference_lets_go(database_url: DatabaseUrl, tmp_path: Path) -> None:
    before, after = CHANGES["others refer elsewhere"]
    studio = Studio(database_url, tmp_path)
    studio.perfect(*models(*before), wishes=NO_RENAME)
    studio.deploy()
    for name in ("alpha", "gamma"):
        rows(database_url, f"INSERT INTO {name} (one, two) VALUES (1, 2)")
    rows(database_url, "INSERT INTO beta (one, two, parent_id) VALUES (1, 2, 1)")
    studio.perfect(*models(*after), wishes=NO_RENAME)
    studio.deploy()
    assert rows(database_url, "SELECT parent_id FROM beta") == [(1,)]
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        rows(database_url, "UPDATE beta SET parent_id = 9")
    studio.roll_back()
    assert rows(database_url, "SELECT parent_id FROM beta") == [(1,)]
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        rows(database_url, "DELETE FROM alpha")


KEYS: dict[str, Callable[[], pw.Field]] = {
    'pw.BigIntegerField(column_name="parent_id", ': pw.BigAutoField,
    'pw.CharField(column_name="parent_id", max_length=7, ': lambda: pw.CharField(max_length=7, primary_key=True),
    'pw.UUIDField(column_name="parent_id", ': lambda: pw.UUIDField(primary_key=True),
}


@pytest.mark.parametrize("plain", KEYS)
def test_a_reference_that_lets_go_keeps_its_type(database_url: DatabaseUrl, tmp_path: Path, plain: str) -> None:
    def tables(**key: pw.Field) -> list[type[pw.Model]]:
        """Others refer to `code`, which has always been unique, and is the key or not."""
        number = {} if key else {"number": pw.AutoField()}
        code = key or {"code": pw.CharField(max_length=7, unique=True)}
        alpha = type(A, (pw.Model,), {**number, **code, "Meta": type("Meta", (), {"table_name": "alpha"})})
        (beta,) = models(Spec(B))
        beta._meta.add_field("parent", reference(alpha, null=True, unique=True, backref="+"))
        return [alpha, beta]

    studio = Studio(database_url, tmp_path)
    studio.perfect(*tables(code=KEYS[plain]()), wishes=NO_RENAME)
    written = studio.draft(*tables(), wishes=NO_RENAME)
    assert written
    text = written.path.read_text()
    assert f"parent={plain}null=True, unique=True)" in text, text

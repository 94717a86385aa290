"""What stock peewee-migrate drafts from models, and what becomes of a database that is given such a draft."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import peewee as pw
import pytest

from service.migrate.errors import Refused
from tests.support.stock import Hazard, Hazards, Stage, Who

HAZARDS = Hazards()


def bot(**fields: Any) -> type[pw.Model]:
    """A model of `bots` with these fields; `meta` holds more of its Meta."""
    meta = {"table_name": "bots", **fields.pop("meta", {})}
    return type("Bot", (pw.Model,), {**fields, "Meta": type("Meta", (), meta)})


def drafted(stage: Stage, *models: type[pw.Model]) -> str:
    """Draft what leads to these models, and deploy it: what comes of that."""
    return "failed" if stage.draft(*models) and stage.deploy() else "done"


@HAZARDS.add("sqlite", "postgresql", ours=[], stock=[(-1,)])
def a_draft_drops_checks(stage: Stage) -> object:
    drafted(stage, bot(price=pw.IntegerField(constraints=[pw.Check("price > 0")])))
    with suppress(Exception):
        stage.rows("INSERT INTO bots (price) VALUES (-1)")
    return stage.rows("SELECT price FROM bots")


@HAZARDS.add("sqlite", "postgresql", ours="done", stock="failed")
def a_draft_of_a_partial_index_is_no_python(stage: Stage) -> object:
    model: Any = bot(name=pw.TextField(), is_active=pw.BooleanField())
    model.add_index(model.index(model.name, unique=True, where=model.is_active))
    return drafted(stage, model)


@HAZARDS.add("sqlite", ours="done", stock="failed")
def a_draft_of_a_decimal_does_not_run(stage: Stage) -> object:
    return drafted(stage, bot(price=pw.DecimalField(max_digits=10, decimal_places=2)))


@HAZARDS.add("postgresql", ours="jsonb", stock="json")
def a_draft_makes_jsonb_json(stage: Stage) -> object:
    drafted(stage, bot(config=pw.JSONField(null=True)))
    return stage.rows("SELECT data_type FROM information_schema.columns WHERE column_name = 'config'")[0][0]


@HAZARDS.add("postgresql", ours="", stock="002_auto")
def a_second_draft_finds_what_is_not_there(stage: Stage) -> object:
    drafted(stage, bot(config=pw.JSONField(null=True)))
    return stage.draft(bot(config=pw.JSONField(null=True)))


@HAZARDS.add("sqlite", "postgresql", ours="002_auto.py", stock="")
def a_draft_does_not_see_what_happens_on_delete(stage: Stage) -> object:
    def child(rule: str) -> type[pw.Model]:
        class Child(pw.Model):
            bot = pw.ForeignKeyField(parent, on_delete=rule)

            class Meta:
                table_name = "children"

        return Child

    parent = bot(name=pw.TextField())
    drafted(stage, parent, child("RESTRICT"))
    parent = bot(name=pw.TextField())
    return stage.draft(parent, child("CASCADE"))


@HAZARDS.add("sqlite", "postgresql", ours="done", stock="failed")
def a_draft_of_an_index_over_an_expression_does_not_run(stage: Stage) -> object:
    model: Any = bot(name=pw.TextField())
    model.add_index(model.index(pw.fn.LOWER(model.name), name="bots_lower"))
    return drafted(stage, model)


@HAZARDS.add("sqlite", "postgresql", ours=[("red",)], stock=[])
def a_draft_drops_what_the_database_fills_in(stage: Stage) -> object:
    drafted(stage, bot(number=pw.IntegerField(), color=pw.TextField(constraints=[pw.SQL("DEFAULT 'red'")])))
    with suppress(Exception):
        stage.rows("INSERT INTO bots (number) VALUES (1)")
    return stage.rows("SELECT color FROM bots")


@HAZARDS.add("sqlite", "postgresql", ours="002_auto.py", stock="")
def a_draft_does_not_see_another_default(stage: Stage) -> object:
    drafted(stage, bot(color=pw.CharField(constraints=[pw.SQL("DEFAULT 'red'")])))
    return stage.draft(bot(color=pw.CharField(constraints=[pw.SQL("DEFAULT 'blue'")])))


@HAZARDS.add("sqlite", "postgresql", ours="done", stock="failed")
def a_draft_of_a_column_with_a_default_that_is_made_does_not_run(stage: Stage) -> object:
    drafted(stage, bot(name=pw.TextField()))
    stage.rows("INSERT INTO bots (name) VALUES ('a')")
    return drafted(stage, bot(name=pw.TextField(), config=pw.JSONField(default=dict)))


@HAZARDS.add("sqlite", "postgresql", ours="done", stock="failed")
def a_draft_of_keys_in_a_circle_does_not_run(stage: Stage) -> object:
    class Version(pw.Model):
        bot = pw.DeferredForeignKey("Bot", backref="+")

        class Meta:
            table_name = "versions"

    return drafted(stage, bot(current=pw.ForeignKeyField(Version, null=True, backref="+")), Version)


@HAZARDS.add("sqlite", "postgresql", ours=1, stock=2)
def a_draft_that_makes_a_field_unique_does_not(stage: Stage) -> object:
    for is_unique in (False, True):
        drafted(stage, bot(name=pw.CharField(unique=is_unique)))
    for _ in range(2):
        with suppress(Exception):
            stage.rows("INSERT INTO bots (name) VALUES ('a')")
    return len(stage.rows("SELECT name FROM bots"))


@HAZARDS.add("sqlite", "postgresql", ours=[("calm",)], stock=[(None,)])
def a_draft_drops_a_column_that_was_renamed(stage: Stage) -> object:
    drafted(stage, bot(mood=pw.CharField(null=True)))
    stage.rows("INSERT INTO bots (mood) VALUES ('calm')")
    with suppress(Refused):
        drafted(stage, bot(feeling=pw.CharField(null=True)))
    column = "feeling" if stage.who == "stock" else "mood"
    return stage.rows(f"SELECT {column} FROM bots")


@HAZARDS.each()
def test_a_hazard_bites_stock_and_not_us(
    hazard: Hazard, who: Who, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    assert hazard.played(who, request, tmp_path) == hazard.outcome(who)

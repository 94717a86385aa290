"""Commands of a developer's machine: drafts, prototypes, starting over."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.migrate.cli import main
from service.url import DatabaseUrl
from tests.support.migrations import applied, rows, table, tables, write
from tests.support.processes import as_text, environment
from tests.support.terminal import on_a_terminal

MODELS = """
import peewee as pw

class Bot(pw.Model):
    name = pw.CharField(max_length=40, index=True)
    notes = pw.JSONField(default=dict)
    class Meta:
        table_name = "bots"
"""
FIELD = "    mood = pw.CharField(max_length=9, default='calm', constraints=[pw.SQL(\"DEFAULT 'calm'\")])\n"


class Project:
    """A folder with models and migrations, as somebody else's project would have it."""

    def __init__(self, url: DatabaseUrl, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.url, self.folder, self._capsys = url, folder, capsys
        self.migrations = folder / "migrations"

    def models(self, source: str) -> None:
        (self.folder / "bot_models.py").write_text(source)
        sys.modules.pop("bot_models", None)

    def migrate(self, *words: str) -> tuple[int, str]:
        code = main(["--database-url", as_text(self.url), "--dir", str(self.migrations), *words])
        captured = self._capsys.readouterr()
        return code, captured.out + captured.err


@pytest.fixture
def project(
    database_url: DatabaseUrl, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Project]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("MIGRATIONS_MODELS", "bot_models")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    project = Project(database_url, tmp_path, capsys)
    project.models(MODELS)
    yield project
    sys.modules.pop("bot_models", None)


def test_an_empty_migration_is_ready_to_be_filled(project: Project) -> None:
    code, said = project.migrate("create", "Add color")
    path = project.migrations / "001_add_color.py"
    assert (code, said) == (0, f"Created {path}\n")
    assert project.migrate("validate")[0] == 0
    assert project.migrate("deploy")[0] == 0


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_dev_does_not_apply_what_failed_when_it_was_tried(project: Project) -> None:
    project.models(MODELS.replace("notes = pw.JSONField(default=dict)", "notes = pw.DateTimeField()"))
    assert project.migrate("dev", "bots")[0] == 0
    project.models(MODELS.replace("notes = pw.JSONField(default=dict)", "notes = pw.BooleanField()"))
    code, said = project.migrate("dev", "flag")
    created, fails, *_, last = said.splitlines()
    assert (code, created) == (1, f"Created {project.migrations / '002_flag.py'}")
    assert fails.startswith("  it fails: cannot cast type timestamp")
    assert last == (
        "Nothing was applied: correct 002_flag.py and run `migrate deploy`; or remove it, change the models and run "
        "this again."
    )
    assert applied(project.url) == ["001_bots"]
    assert (project.migrations / "002_flag.py").exists()


def test_dev_writes_applies_and_checks(project: Project) -> None:
    code, said = project.migrate("dev", "bots")
    assert code == 0, said
    assert "The models and the migrations agree." in said
    assert applied(project.url) == ["001_bots"]
    project.models(MODELS.replace("    class Meta", FIELD + "    class Meta"))
    code, said = project.migrate("dev", "mood")
    assert code == 0, said
    assert applied(project.url) == ["001_bots", "002_mood"]
    rows(project.url, "INSERT INTO bots (name, notes) VALUES ('a', '{}')")
    assert rows(project.url, "SELECT mood FROM bots") == [("calm",)]
    code, said = project.migrate("rollback", "--yes")
    assert code == 0, said
    assert rows(project.url, "SELECT * FROM bots") == [(1, "a", "{}" if project.url.is_sqlite else {})]


def test_a_json_field_becomes_what_the_model_makes_of_it(project: Project) -> None:
    project.migrate("dev", "bots")
    kind = "SELECT data_type FROM information_schema.columns WHERE column_name = 'notes'"
    assert project.url.is_sqlite or rows(project.url, kind) == [("jsonb",)]


def test_nothing_is_written_when_the_models_ask_for_nothing(project: Project) -> None:
    project.migrate("dev", "bots")
    assert project.migrate("create", "again", "--auto") == (0, "The models ask for no change; nothing was written.\n")
    assert [path.name for path in project.migrations.glob("*.py")] == ["001_bots.py"]


def test_create_only_stops_before_the_database(project: Project) -> None:
    code, _ = project.migrate("dev", "bots", "--create-only")
    assert code == 0
    assert project.migrate("status")[0] == 1


def test_reset_needs_a_word_and_starts_over(project: Project) -> None:
    project.migrate("dev", "bots")
    rows(project.url, "INSERT INTO bots (name, notes) VALUES ('a', '{}')")
    code, said = project.migrate("reset")
    assert code == 1
    assert ("--yes" if project.url.is_sqlite else "--force") in said
    code, said = project.migrate("reset", "--yes" if project.url.is_sqlite else "--force")
    assert code == 0, said
    assert rows(project.url, "SELECT count(*) FROM bots") == [(0,)]


def test_push_makes_what_is_missing_warns_and_writes_no_history(project: Project) -> None:
    force = [] if project.url.is_sqlite else ["--force"]
    assert project.url.is_sqlite or project.migrate("push")[0] == 1
    code, said = project.migrate("push", *force)
    assert code == 0
    assert said == (
        "Warning: this bypasses the migration history. Use it only to prototype on a development database.\n"
        "  made table bots\n"
    )
    assert tables(project.url) == {"bots"}
    project.models(MODELS.replace("    class Meta", FIELD + "    class Meta"))
    assert project.migrate("push", *force)[1].endswith("  made column bots.mood\n")
    assert project.migrate("push", *force)[1].endswith("The database already has all that the models ask for.\n")


def test_pull_prints_models_of_the_live_database(project: Project) -> None:
    project.migrate("dev", "bots")
    code, said = project.migrate("pull")
    assert code == 0
    assert "class Bots(BaseModel):" in said
    assert "migratehistory" not in said
    compile(said, "pulled.py", "exec")


def test_models_that_can_not_be_imported_are_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIGRATIONS_MODELS", "no_such_module")
    code, said = project.migrate("create", "x", "--auto")
    assert code == 1
    assert said == (
        "Can't import the models module no_such_module: No module named 'no_such_module'."
        " Name it with MIGRATIONS_MODELS.\n"
    )


@pytest.mark.parametrize("words", [("create", "x", "--auto"), ("dev", "x"), ("dev", "x", "--create-only")])
def test_our_own_models_are_not_drafted_into_the_folder_of_somebody_else(
    project: Project, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.delenv("MIGRATIONS_MODELS")
    write(project.migrations, "001_a", table("a"))
    assert project.migrate(*words) == (
        1,
        f"The service's own models do not go with {project.migrations}: a draft would make its tables there. Name the "
        "models that do in MIGRATIONS_MODELS, or write the migration by hand: `migrate create NAME`.\n",
    )
    assert [path.name for path in project.migrations.iterdir()] == ["001_a.py"]
    assert project.migrate("create", "x")[0] == 0


def test_the_next_number_is_not_the_count(project: Project) -> None:
    write(project.migrations, "007_x")
    assert project.migrate("create", "y")[1].endswith("008_y.py\n")


def test_a_rename_is_named_on_the_command_line(project: Project) -> None:
    project.models(MODELS.replace("    class Meta", FIELD + "    class Meta"))
    project.migrate("dev", "bots")
    rows(project.url, "INSERT INTO bots (name, notes, mood) VALUES ('a', '{}', 'glad')")
    project.models(MODELS.replace("    class Meta", FIELD.replace("mood", "feeling") + "    class Meta"))
    code, said = project.migrate("dev", "feeling")
    assert code == 1
    assert "say --rename bots.mood=bots.feeling; " in said
    code, said = project.migrate("dev", "feeling", "--rename", "bots.mood=bots.feeling")
    assert code == 0, said
    assert rows(project.url, "SELECT feeling FROM bots") == [("glad",)]


@pytest.mark.parametrize(("answer", "kept"), [("y", "glad"), ("", "calm")])
def test_a_rename_is_asked_about_on_a_terminal(project: Project, answer: str, kept: str) -> None:
    project.models(MODELS.replace("    class Meta", FIELD + "    class Meta"))
    project.migrate("dev", "bots")
    rows(project.url, "INSERT INTO bots (name, notes, mood) VALUES ('a', '{}', 'glad')")
    project.models(MODELS.replace("    class Meta", FIELD.replace("mood", "feeling") + "    class Meta"))
    env = environment(project.url, MIGRATIONS_MODELS="bot_models", PYTHONPATH=str(project.folder))
    words = [sys.executable, "-m", "service.migrate.cli", "--dir", str(project.migrations), "dev", "feeling"]
    code, seen = on_a_terminal(*words, env=env, answers={"[y/N] ": answer})
    assert "Is bots.feeling the new name of bots.mood? With no, bots.mood is dropped with its data. [y/N] " in seen
    assert (code, rows(project.url, "SELECT feeling FROM bots")) == (0, [(kept,)])

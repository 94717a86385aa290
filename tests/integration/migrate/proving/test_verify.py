"""`migrate verify`: the live schema, the migrations and the models, held beside each other."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from service.migrate import runner
from service.migrate.cli import main
from service.url import DatabaseUrl
from tests.support.migrations import rows, table, target, write
from tests.support.processes import as_text

CHECK = """
def verify(database):
    total = database.execute_sql("SELECT count(*) FROM a").fetchone()[0]
    yield "Rows with a color", database.execute_sql("SELECT count(color) FROM a").fetchone()[0], total
"""
COMPANION = """
migrator.sql('''
    CREATE TABLE b (id INTEGER PRIMARY KEY, a_id INTEGER REFERENCES a (id), n INTEGER CHECK (n > 0));
    CREATE UNIQUE INDEX b_n ON b (n);
''')
"""


@pytest.fixture
def folder(database_url: DatabaseUrl, tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    write(folder, "001_a", table("a", "color VARCHAR(7) DEFAULT 'red'"), top=CHECK)
    write(folder, "002_b", COMPANION)
    runner.deploy(target(database_url, folder))
    return folder


class Verify:
    def __init__(self, url: DatabaseUrl, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._words = ["--database-url", as_text(url), "--dir", str(folder), "verify", "--skip-models"]
        self._capsys = capsys

    def __call__(self, *words: str) -> tuple[int, str]:
        code = main([*self._words, *words])
        said = self._capsys.readouterr()
        assert said.err == ""
        return code, said.out


@pytest.fixture
def verify(database_url: DatabaseUrl, folder: Path, capsys: pytest.CaptureFixture[str]) -> Verify:
    return Verify(database_url, folder, capsys)


def test_a_database_that_is_what_it_should_be(verify: Verify, database_url: DatabaseUrl) -> None:
    rows(database_url, "INSERT INTO a (id) VALUES (1), (2)")
    code, said = verify()
    assert code == 0
    lines = said.splitlines()
    assert lines[0] == str(database_url)
    assert lines[2] == "Live schema against 002_b"
    assert lines[3].endswith(" things were compared and are equal")
    assert lines[4:] == ["Checks of the migrations", "  ✓ Rows with a color 2 of 2 (001_a)"]


MODELS = """
import peewee as pw

class A(pw.Model):
    color = pw.CharField(7)
"""


def test_the_models_of_the_service_are_not_held_against_migrations_of_others(
    database_url: DatabaseUrl, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--database-url", as_text(database_url), "--dir", str(folder), "verify"]
    assert main(words) == 0
    assert capsys.readouterr().out.endswith(
        "\n\nNo models were compared: the service's own do not go with this folder. Name those that do in "
        "MIGRATIONS_MODELS; --skip-models leaves them out without a word.\n"
    )
    assert (main([*words, "--json"]), json.loads(capsys.readouterr().out)["models"]) == (0, None)
    (folder.parent / "models_of_others.py").write_text(MODELS)
    monkeypatch.syspath_prepend(folder.parent)
    monkeypatch.setenv("MIGRATIONS_MODELS", "models_of_others")
    assert main(words) == 1
    said = capsys.readouterr().out
    assert "Models of models_of_others against the migrations\n  ✗ " in said
    assert "No models" not in said


@pytest.mark.parametrize("words", [(), ("--repair",), ("--repair", "--yes")])
def test_a_database_that_is_ahead_is_not_brought_back(
    verify: Verify, database_url: DatabaseUrl, folder: Path, words: tuple[str, ...]
) -> None:
    """The newer release may have taken away what this one would miss."""
    path = write(folder, "003_c", "migrator.sql('ALTER TABLE a DROP COLUMN color')", top="touches = ['a']")
    runner.deploy(target(database_url, folder))
    path.unlink()
    code, said = verify(*words)
    assert code == 1
    assert "✗ a: column color is missing" in said
    way_out = "Applied, but without a file here: 003_c. What that changed differs: verify with the release that has it."
    assert way_out in said.splitlines()
    assert "Nothing is missing" not in said


def test_a_check_that_is_not_met_says_how_many(verify: Verify, database_url: DatabaseUrl) -> None:
    rows(database_url, "INSERT INTO a (id, color) VALUES (1, 'red'), (2, NULL)")
    code, said = verify()
    assert code == 1
    assert "  ✗ Rows with a color 1 of 2 (001_a)" in said


def test_a_check_that_fails_is_a_check_that_is_not_met(verify: Verify, database_url: DatabaseUrl) -> None:
    rows(database_url, "ALTER TABLE a RENAME TO c")
    code, said = verify()
    assert code == 1
    assert "its verify function failed: " in said


def test_drift_is_told_a_line_each(verify: Verify, database_url: DatabaseUrl) -> None:
    rows(database_url, "ALTER TABLE a ADD COLUMN extra INTEGER")
    rows(database_url, "DROP INDEX b_n")
    rows(database_url, "CREATE TABLE theirs (id INTEGER)")
    code, said = verify()
    drift = [line.strip() for line in said.splitlines() if "✗" in line]
    assert code == 1
    index = "UNIQUE (n)" if database_url.is_sqlite else "UNIQUE USING btree (n)"
    assert drift == [
        "✗ table theirs is not expected",
        "✗ a: column extra is not expected",
        f"✗ b: index {index} is missing",
    ]


def test_a_repair_is_shown_first_and_adds_only(verify: Verify, database_url: DatabaseUrl) -> None:
    rows(database_url, "INSERT INTO a (id) VALUES (1)")
    rows(database_url, "DROP TABLE b")
    rows(database_url, "ALTER TABLE a DROP COLUMN color")
    code, said = verify("--repair")
    assert code == 1
    statements = [line for line in said.splitlines() if line.endswith(";")]
    assert [statement.split(" ", 2)[:2] for statement in statements] == [
        ["ALTER", "TABLE"],
        ["CREATE", "TABLE"],
        ["CREATE", "UNIQUE"],
    ]
    assert verify()[0] == 1
    code, said = verify("--repair", "--yes")
    assert code == 0, said
    assert rows(database_url, "SELECT color FROM a") == [("red",)]
    with pytest.raises(Exception, match=r"(?i)check"):
        rows(database_url, "INSERT INTO b (id, n) VALUES (1, 0)")


def test_a_repaired_index_has_its_name_which_a_later_migration_drops(
    verify: Verify, database_url: DatabaseUrl, folder: Path
) -> None:
    (folder / "003_i.sql").write_text('CREATE INDEX "Upper n" ON b (n) WHERE n > 1; CREATE INDEX taken ON b (n, id);')
    runner.deploy(target(database_url, folder))
    for sql in ('DROP INDEX "Upper n"', "DROP INDEX taken", "CREATE INDEX taken ON a (id)"):
        rows(database_url, sql)
    code, said = verify("--repair", "--yes")
    assert code == 1, said  # the other index of that name
    (folder / "004_j.sql").write_text('DROP INDEX "Upper n"; DROP INDEX taken;')
    runner.deploy(target(database_url, folder))


def test_a_repair_removes_nothing(verify: Verify, database_url: DatabaseUrl) -> None:
    rows(database_url, "CREATE TABLE theirs (id INTEGER)")
    code, said = verify("--repair", "--yes")
    assert code == 1
    assert "Nothing is missing that could be added." in said
    assert rows(database_url, "SELECT count(*) FROM theirs") == [(0,)]


def test_what_is_pending_is_not_drift(verify: Verify, folder: Path) -> None:
    write(folder, "003_c", table("c"))
    assert verify()[0] == 0


def test_as_json(verify: Verify, database_url: DatabaseUrl) -> None:
    rows(database_url, "DROP INDEX b_n")
    code, said = verify("--json")
    found = json.loads(said)
    assert code == 1
    assert len(found["drift"]) == len(found["repair"]) == 1
    assert found["checks"] == [{"migration": "001_a", "label": "Rows with a color", "found": 0, "expected": 0}]


def test_our_own_models_agree_with_our_own_migrations(
    service_database: DatabaseUrl, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--database-url", as_text(service_database), "verify"]) == 0
    said = capsys.readouterr().out
    assert "Models of service.models against the migrations\n  ✓ they agree" in said
    assert "  ✓ Chatbots with versions 0 of 0 (009_chatbot_versioning_data)" in said

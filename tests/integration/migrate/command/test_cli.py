"""The `migrate` command as a person meets it: words, streams and exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from service.url import DatabaseUrl
from tests.support.command import Command
from tests.support.migrations import applied, rows, table, tables, write
from tests.support.processes import as_text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    for number, name in enumerate("ab", start=1):
        write(folder, f"00{number}_{name}", table(name), f'migrator.sql("DROP TABLE {name}")')
    return folder


@pytest.fixture
def migrate(database_url: DatabaseUrl, folder: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(database_url, folder, capsys)


def test_a_first_deploy_tells_each_migration_and_closes_with_a_summary(
    migrate: Command, database_url: DatabaseUrl
) -> None:
    said = migrate("deploy")
    lines = said.out.splitlines()
    assert (said.code, said.err) == (0, "")
    assert lines[0] == f"Running database migrations on {database_url}"
    assert lines[1] == "2 to apply"
    assert lines[2].split()[:2] == ["✓", "001_a"]
    assert lines[3].split()[:2] == ["✓", "002_b"]
    assert lines[4].startswith("All migrations have been successfully applied: 2 in ")
    assert lines[4].endswith("The schema is at 002_b.")


def test_a_second_deploy_says_that_all_is_well(migrate: Command) -> None:
    migrate("deploy")
    said = migrate("deploy")
    assert (said.code, said.out.splitlines()[1:]) == (
        0,
        ["Database schema is up to date! 2 migrations, the newest is 002_b."],
    )


def test_status_tells_applied_from_pending_and_its_exit_code_too(migrate: Command, folder: Path) -> None:
    migrate("deploy")
    write(folder, "003_c", table("c"))
    said = migrate("status")
    assert said.code == 1
    states = [line.split()[1:3] for line in said.out.splitlines()[2:5]]
    assert states == [["001_a", "applied"], ["002_b", "applied"], ["003_c", "pending"]]
    assert said.out.endswith("1 migration to apply: run `migrate deploy`.\n")
    migrate("deploy")
    said = migrate("status")
    assert said.code == 0
    assert said.out.endswith("Database schema is up to date!\n")


def test_status_puts_problems_with_their_remedies_on_stderr(migrate: Command, folder: Path) -> None:
    migrate("deploy")
    (folder / "001_a.py").write_text("def migrate(migrator, database, *, fake=False): pass")
    said = migrate("status")
    assert said.code == 1
    assert "One problem must be solved first." in said.out
    assert said.err == (
        "001_a was edited after it was applied. Restore the file and put the change into a new migration.\n"
    )


def test_status_changes_nothing(migrate: Command, database_url: DatabaseUrl) -> None:
    migrate("status")
    if database_url.is_sqlite:
        assert not Path(database_url.name).exists()
    else:
        assert tables(database_url) == set()


def test_every_report_can_be_json(migrate: Command) -> None:
    assert json.loads(migrate("deploy", "--json").out)["newest"] == "002_b"
    status = json.loads(migrate("status", "--json").out)
    assert status["is_current"]
    assert [entry["state"] for entry in status["migrations"]] == ["applied", "applied"]
    assert json.loads(migrate("rollback", "--yes", "--json").out)["done"][0]["result"] == "rolled back"
    assert json.loads(migrate("resolve", "--applied", "001_a", "--json").out)["done"][0]["migration"] == "001_a"
    assert json.loads(migrate("resolve", "--detect", "--json").out)["names"] == ["001_a"]
    assert json.loads(migrate("validate", "--json").out)["problems"] == []


def test_json_stands_alone_on_stdout_whatever_a_migration_says(migrate: Command, folder: Path) -> None:
    write(folder, "003_c", "import logging; logging.getLogger('migrations').info('working')")
    said = migrate("deploy", "--json")
    assert json.loads(said.out)["newest"] == "003_c"
    assert said.err == "  … 003_c\n    working\n"


def test_what_a_migration_says_stands_between_its_name_and_its_end(migrate: Command, folder: Path) -> None:
    say = "import logging\nfor word in ('one', 'two'): logging.getLogger('migrations').info(word)"
    write(folder, "003_c", say)
    assert [line.split()[:2] for line in migrate("deploy").out.splitlines()[3:-1]] == [
        ["✓", "002_b"],
        ["…", "003_c"],
        ["one"],
        ["two"],
        ["✓", "003_c"],
    ]


def test_resolve_says_what_it_did_and_that_twice_is_once(migrate: Command, database_url: DatabaseUrl) -> None:
    for name in "ab":
        rows(database_url, f"CREATE TABLE {name} (id INTEGER PRIMARY KEY)")
    assert migrate("resolve", "--applied", "001_a", "002_b").out == (
        "001_a is now recorded as applied: 3 of the 3 things that it changes were compared and found.\n"
        "002_b is now recorded as applied: 3 of the 3 things that it changes were compared and found.\n"
    )
    said = migrate("resolve", "--applied", "001_a")
    assert (said.code, said.out) == (0, "001_a was already recorded as applied; nothing changed.\n")
    said = migrate("resolve", "--rolled-back", "002_b")
    assert said.out == "002_b is no longer recorded as applied; the next deploy will run it.\n"


def test_resolve_refuses_a_name_that_does_not_exist_with_the_nearest_ones(migrate: Command) -> None:
    said = migrate("resolve", "--applied", "001_aa")
    assert (said.code, said.out, said.err) == (1, "", "There is no migration 001_aa; did you mean 001_a or 002_b?\n")


def test_resolve_without_a_name_says_how(migrate: Command) -> None:
    said = migrate("resolve")
    assert (said.code, said.err) == (1, "Say what to resolve: --applied NAME …, --rolled-back NAME … or --detect.\n")


def test_a_rollback_needs_a_yes_where_nobody_can_be_asked(
    migrate: Command, database_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate("deploy")
    said = migrate("rollback")
    assert said.code == 1
    assert said.err.startswith("This undoes 002_b and destroys")
    assert said.err.endswith("say so with --yes.\n")
    assert applied(database_url) == ["001_a", "002_b"]
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _prompt: "no")
    assert migrate("rollback").err == "Nothing was changed.\n"
    monkeypatch.setattr("builtins.input", lambda _prompt: "yes")
    assert migrate("rollback").code == 0
    assert applied(database_url) == ["001_a"]


def test_a_failing_migration_exits_with_2_and_speaks_on_stderr(migrate: Command, folder: Path) -> None:
    write(folder, "003_c", 'migrator.sql("DROP TABLE nowhere")')
    said = migrate("deploy")
    assert said.code == 2
    assert said.err.startswith("Migration 003_c failed; it was rolled back and nothing of it remains.\n")
    assert "Traceback" not in said.err


FROZEN = (
    "If one of these is applied already, it must stay as it is: `migrate validate --applied-to NAME` looks inside "
    "later ones only."
)


def test_a_misspelt_flag_is_told_before_anything_is_applied(
    migrate: Command, database_url: DatabaseUrl, folder: Path
) -> None:
    (folder / "003_c.sql").write_text("-- breaking: ture\nCREATE TABLE c (id INTEGER)")
    what = "003_c.sql, line 1: breaking is true or false, not 'ture'. Write `-- breaking: true`, or take the line out."
    assert migrate("deploy")[::2] == (1, f"{what}\n")
    assert migrate("validate")[::2] == (1, f"{what}\n{FROZEN}\n")
    assert "a" not in tables(database_url)


def test_validate_needs_no_database(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unreachable = DatabaseUrl("postgresql", "nowhere", host="127.0.0.1", port=1)
    migrate = Command(unreachable, folder, capsys)
    assert migrate("validate").code == 0
    (folder / "003_c.py").write_text("def Migrate(): pass")
    said = migrate("validate")
    assert (said.code, said.err) == (1, f"003_c.py has no function migrate. Rename Migrate to migrate.\n{FROZEN}\n")


def test_what_is_applied_already_and_frozen_does_not_hold_up_what_comes_later(migrate: Command, folder: Path) -> None:
    """An older runner has passed it over, and now nobody may edit it."""
    (folder / "003_c.sql").write_text("-- breaking: ture\nCREATE TABLE c (id INTEGER)")
    what = "003_c.sql, line 1: breaking is true or false, not 'ture'. Write `-- breaking: true`, or take the line out."
    said = migrate("validate", "--applied-to", "003")
    assert (said.code, said.err) == (1, "There is no migration 003; did you mean 003_c?\n")
    said = migrate("validate", "--applied-to", "003_c")
    assert (said.code, said.out.splitlines()[:2]) == (0, ["Applied, and left as it is:", f"  {what}"])
    told = json.loads(migrate("validate", "--applied-to", "003_c", "--json").out)
    assert (told["problems"], told["frozen"]) == ([], [what])
    (folder / "004_d.sql").write_text("-- atomic: flase\nCREATE TABLE d (id INTEGER)")
    said = migrate("validate", "--applied-to", "003_c")
    assert (said.code, said.err.splitlines()[0][:17]) == (1, "004_d.sql, line 1")
    assert "003_c.sql" not in said.err


def test_wait_opens_on_a_current_schema_and_names_what_is_missing_otherwise(migrate: Command, folder: Path) -> None:
    migrate("deploy")
    assert migrate("wait", "--timeout", "0").code == 0
    write(folder, "003_c", table("c"))
    said = migrate("wait", "--timeout", "0")
    assert said.code == 1
    assert "003_c" in said.err


def test_a_bad_setting_stops_the_command_and_names_the_variable_also_where_there_is_nothing_to_do(
    migrate: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate("deploy")
    monkeypatch.setenv("RUN_MIGRATIONS", "perhaps")
    for word in ("deploy", "status"):
        assert migrate(word) == (2, "", "RUN_MIGRATIONS is 'perhaps'; use true, false, 1, 0, yes or no.\n")


def test_a_folder_that_is_not_there_is_named(
    database_url: DatabaseUrl, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = Command(database_url, tmp_path / "nowhere", capsys)("deploy")
    assert said.code == 1
    assert said.err == f"There is no migrations folder {tmp_path}/nowhere; name it with --dir or MIGRATIONS_DIR.\n"


def test_the_command_works_from_anywhere_on_any_folder(database_url: DatabaseUrl, folder: Path, tmp_path: Path) -> None:
    """As a process, in another working directory, on a folder that is not the service's."""
    words = ["--database-url", as_text(database_url), "--dir", "migrations", "deploy"]
    command = [sys.executable, "-m", "service.migrate.cli", *words]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert applied(database_url) == ["001_a", "002_b"]


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "1e99"])
def test_seconds_that_no_server_could_wait_are_refused(
    migrate: Command, capsys: pytest.CaptureFixture[str], seconds: str
) -> None:
    with pytest.raises(SystemExit):
        migrate("deploy", "--lock-timeout", seconds)
    assert "a number of seconds, from 0 to 2,000,000" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["deploy", "status", "wait", "validate", "journal"])
def test_a_wrong_setting_of_another_process_stops_nothing(
    migrate: Command, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    """Neither where there is work nor where there is none; the process that goes by it says what is wrong."""
    for name in ("WORKER_PORT", "LEASE_SECONDS", "TELEGRAM_GROUPS", "ADMIN_EMAIL"):
        monkeypatch.setenv(name, "nonsense")
    monkeypatch.setenv("SCHEMA_WAIT", "0")
    assert "nonsense" not in "".join(migrate(word)[1:])
    monkeypatch.setenv("WORKER_PORT", "8001")
    assert migrate("deploy").code == 0
    monkeypatch.setenv("WORKER_PORT", "nonsense")
    assert migrate(word).code == 0


def test_a_seed_goes_by_all_settings(migrate: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_PORT", "nonsense")
    assert migrate("seed") == (2, "", "WORKER_PORT is 'nonsense'; use a whole number from 0 to 65535.\n")

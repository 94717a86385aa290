"""Values that an enum is given by one migration and that the next one uses, or the next step: in the one transaction of
the shadow PostgreSQL would refuse them."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.migrate import runner
from service.migrate.errors import MigrationFailed
from service.migrate.proving import verify
from service.url import DatabaseUrl
from tests.support.migrations import rows, target, write

MADE = "CREATE TYPE mood AS ENUM ('calm', 'cr''oss'); CREATE TABLE bots (id INT PRIMARY KEY, mood mood)"
USED = "ALTER TABLE bots ALTER mood SET DEFAULT 'mild'; INSERT INTO bots VALUES (1, 'mild')"


def drift_of(url: DatabaseUrl, folder: Path) -> tuple[str, ...]:
    runner.deploy(target(url, folder))
    return verify.verify(url, folder).drift


@pytest.mark.parametrize(
    "added",
    [
        "ALTER TYPE mood ADD VALUE 'mild'",
        "alter type public.mood add value if not exists 'mild' before 'calm'",
        "ALTER TYPE mood ADD VALUE 'mild' AFTER 'calm';\nALTER TYPE mood ADD VALUE IF NOT EXISTS 'mild'",
        "ALTER TYPE mood ADD VALUE 'mild' BEFORE 'cr''oss'; ALTER TYPE mood ADD VALUE 'it''s' BEFORE 'cr''oss'",
        "ALTER TYPE mood ADD VALUE 'mild'; ALTER TYPE mood ADD VALUE 'w'; ALTER TYPE mood ADD VALUE 'x' AFTER 'w'",
        "ALTER TYPE mood RENAME TO feeling; ALTER TYPE feeling ADD VALUE 'mild' AFTER 'cr''oss'",
    ],
)
def test_what_a_migration_adds_the_next_one_uses(postgresql_url: DatabaseUrl, tmp_path: Path, added: str) -> None:
    (tmp_path / "001_a.sql").write_text(MADE)
    (tmp_path / "002_b.sql").write_text(added)
    (tmp_path / "003_c.sql").write_text(USED)
    assert drift_of(postgresql_url, tmp_path) == ()


def test_or_the_next_step_in_either_language(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    (tmp_path / "001_a.sql").write_text(f"DO $$ BEGIN {MADE.partition(';')[0]}; END $$; {MADE.partition(';')[2]}")
    (tmp_path / "002_b.sql").write_text(f"-- atomic: false\nALTER TYPE mood ADD VALUE 'mild' AFTER 'calm'; {USED}")
    more = "migrator.sql(\"ALTER TYPE mood ADD VALUE 'wild'\")\nmigrator.sql(\"UPDATE bots SET mood = 'wild'\")"
    write(tmp_path, "003_c", more, top="atomic = False")
    assert drift_of(postgresql_url, tmp_path) == ()
    rows(postgresql_url, "ALTER TYPE mood RENAME VALUE 'mild' TO 'tame'")
    differences = verify.verify(postgresql_url, tmp_path).drift
    assert [line for line in differences if "ENUM ('calm', 'mild', 'cr''oss', 'wild')" in line]


def test_more_values_than_there_are_to_spare_are_added_as_they_are(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    (tmp_path / "001_a.sql").write_text("CREATE TYPE mood AS ENUM ();")
    (tmp_path / "002_b.sql").write_text(";".join(f"ALTER TYPE mood ADD VALUE '{number}'" for number in range(50)))
    assert drift_of(postgresql_url, tmp_path) == ()


def test_one_that_uses_it_too_soon_is_told_when_it_may(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    (tmp_path / "001_a.sql").write_text(MADE)
    runner.deploy(target(postgresql_url, tmp_path))
    (tmp_path / "002_b.sql").write_text(f"ALTER TYPE mood ADD VALUE 'mild'; {USED}")
    with pytest.raises(MigrationFailed) as failure:
        runner.deploy(target(postgresql_url, tmp_path))
    assert str(failure.value).splitlines()[-1] == (
        "A new value of an enum may be used once it is committed: add it in a migration before this one, or write "
        "`-- atomic: false` at the top of 002_b.sql."
    )
    (tmp_path / "002_b.sql").write_text(f"-- atomic: false\nALTER TYPE mood ADD VALUE 'mild'; {USED}")
    assert runner.deploy(target(postgresql_url, tmp_path)).newest == "002_b"

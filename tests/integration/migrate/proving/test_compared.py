"""What verify and resolve compare beside tables and their columns, and what they let be."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.migrate import runner
from service.migrate.errors import Unproven
from service.migrate.proving import verify
from service.url import DatabaseUrl
from tests.support.migrations import rows, target

PARTS = """
CREATE TABLE p (id INT, d DATE NOT NULL) PARTITION BY RANGE (d);
CREATE TABLE p25 PARTITION OF p FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE p26 PARTITION OF p FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY LIST (id);
CREATE TABLE p26_1 PARTITION OF p26 FOR VALUES IN (1);
CREATE INDEX p_id ON p (id);
CREATE TABLE base (id INT);
CREATE TABLE derived (more INT) INHERITS (base);
"""
VIEWS = """
CREATE TABLE a (id INT);
CREATE VIEW v AS SELECT id FROM a;
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER keep INSTEAD OF INSERT ON v FOR EACH ROW EXECUTE FUNCTION f();
CREATE RULE silent AS ON DELETE TO v DO INSTEAD NOTHING;
CREATE MATERIALIZED VIEW m AS SELECT id FROM a;
CREATE UNIQUE INDEX m_id ON m (id);
"""
DRIFTS = [
    (
        PARTS,
        "ALTER TABLE p DETACH PARTITION p25",
        ["p25: option PARTITION OF p FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') is missing"],
    ),
    (PARTS, "ALTER TABLE derived NO INHERIT base", ["derived: option INHERITS (base) is missing"]),
    (
        PARTS,
        "DROP TABLE p26; CREATE TABLE p26 PARTITION OF p FOR VALUES FROM ('2026-01-01') TO ('2028-01-01')"
        " PARTITION BY LIST (id); CREATE TABLE p26_1 PARTITION OF p26 FOR VALUES IN (1)",
        [
            "p26: option PARTITION OF p FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY LIST (id) "
            "is missing",
            "p26: option PARTITION OF p FOR VALUES FROM ('2026-01-01') TO ('2028-01-01') PARTITION BY LIST (id) "
            "is not expected",
        ],
    ),
    (
        VIEWS,
        "DROP TRIGGER keep ON v",
        ["view v: trigger CREATE TRIGGER keep INSTEAD OF INSERT ON v FOR EACH ROW EXECUTE FUNCTION f() is missing"],
    ),
    (
        VIEWS,
        "DROP RULE silent ON v",
        ["view v: rule CREATE RULE silent AS ON DELETE TO v DO INSTEAD NOTHING; is missing"],
    ),
    (VIEWS, "DROP INDEX m_id", ["view m: index UNIQUE USING btree (id) is missing"]),
]


@pytest.mark.parametrize(("sql", "drift", "lines"), DRIFTS)
def test_what_hangs_on_tables_and_views_is_compared(
    postgresql_url: DatabaseUrl, tmp_path: Path, sql: str, drift: str, lines: list[str]
) -> None:
    (tmp_path / "001_a.sql").write_text(sql)
    runner.deploy(target(postgresql_url, tmp_path))
    assert verify.verify(postgresql_url, tmp_path).drift == ()
    rows(postgresql_url, drift)
    assert list(verify.verify(postgresql_url, tmp_path).drift) == lines


def test_a_trigger_on_a_view_is_compared_on_sqlite_too(sqlite_url: DatabaseUrl, tmp_path: Path) -> None:
    trigger = "CREATE TRIGGER keep INSTEAD OF INSERT ON v BEGIN SELECT 1; END"
    (tmp_path / "001_a.sql").write_text(f"CREATE TABLE a (id INT); CREATE VIEW v AS SELECT id FROM a; {trigger};")
    runner.deploy(target(sqlite_url, tmp_path))
    assert verify.verify(sqlite_url, tmp_path).drift == ()
    rows(sqlite_url, "DROP TRIGGER keep")
    assert verify.verify(sqlite_url, tmp_path).drift == (f"view v: trigger {trigger} is missing",)


def test_a_partition_that_is_missing_is_repaired_as_one(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    """A table of its own in its place would take no row."""
    (tmp_path / "001_a.sql").write_text(PARTS)
    runner.deploy(target(postgresql_url, tmp_path))
    rows(postgresql_url, "DROP TABLE p26, p25")
    verify.repair(postgresql_url, verify.verify(postgresql_url, tmp_path).repair)
    assert verify.verify(postgresql_url, tmp_path).drift == ()
    rows(postgresql_url, "INSERT INTO p VALUES (1, '2025-05-05'), (1, '2026-05-05')")


def test_an_index_of_a_partitioned_table_is_made_once_for_all_its_parts(
    postgresql_url: DatabaseUrl, tmp_path: Path
) -> None:
    (tmp_path / "001_a.sql").write_text(f"{PARTS} CREATE INDEX p25_d ON p25 (d);")
    runner.deploy(target(postgresql_url, tmp_path))
    rows(postgresql_url, "DROP INDEX p_id, p25_d")
    found = verify.verify(postgresql_url, tmp_path).repair
    assert sorted(found) == ['CREATE INDEX p25_d ON "p25" USING btree (d)', 'CREATE INDEX p_id ON "p" USING btree (id)']
    verify.repair(postgresql_url, found)
    assert verify.verify(postgresql_url, tmp_path).drift == ()


def test_a_migration_is_not_proven_by_a_table_that_is_no_part_of_it(
    postgresql_url: DatabaseUrl, tmp_path: Path
) -> None:
    (tmp_path / "001_a.sql").write_text("CREATE TABLE p (d DATE) PARTITION BY RANGE (d); CREATE TABLE p1 (d DATE)")
    (tmp_path / "002_b.sql").write_text(
        "ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM ('2026-01-01') TO (MAXVALUE)"
    )
    runner.deploy(target(postgresql_url, tmp_path), only=1)
    with pytest.raises(Unproven, match="missing: p1: option PARTITION OF p"):
        runner.resolve(target(postgresql_url, tmp_path), applied=["002_b"])


@pytest.mark.parametrize(
    "by_hand",
    [
        "COMMENT ON TABLE a IS 'seen'",
        "GRANT SELECT ON a TO PUBLIC",
        "ALTER TABLE a SET (autovacuum_enabled = off)",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
    ],
)
def test_what_the_keepers_of_a_server_may_do_is_no_drift(
    postgresql_url: DatabaseUrl, tmp_path: Path, by_hand: str
) -> None:
    (tmp_path / "001_a.sql").write_text("CREATE TABLE a (id INT)")
    runner.deploy(target(postgresql_url, tmp_path))
    rows(postgresql_url, by_hand)
    assert verify.verify(postgresql_url, tmp_path).drift == ()


OF_SERVER = """
CREATE ROLE {role} NOLOGIN; ALTER ROLE {role} SET search_path = public;
CREATE TABLE a (id INT); GRANT SELECT ON a TO {role}; CREATE PUBLICATION everything FOR TABLE a;
CREATE FUNCTION seen() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION seen();
ALTER DATABASE {database} SET work_mem = '8MB';
CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE USER MAPPING FOR {role} SERVER nowhere;
CREATE FOREIGN TABLE far (id INT) SERVER nowhere;
"""


def test_what_belongs_to_the_server_is_no_obstacle_to_a_proof(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    """It is there once, and may be used there by others; only what is in the schemas is compared."""
    role = f"reader_of_{postgresql_url.name}"
    (tmp_path / "001_a.sql").write_text(OF_SERVER.format(role=role, database=postgresql_url.name))
    (tmp_path / "002_b.sql").write_text(f"DROP USER MAPPING FOR {role} SERVER nowhere; CREATE TABLE b (id INT)")
    try:
        runner.deploy(target(postgresql_url, tmp_path))
        assert verify.verify(postgresql_url, tmp_path).drift == ()
        rows(postgresql_url, "DROP TABLE b")
        assert verify.verify(postgresql_url, tmp_path).drift == ("table b is missing",)
        assert rows(postgresql_url, "SELECT rolname FROM pg_roles WHERE rolname = ?", [role]) == [(role,)]
    finally:
        rows(postgresql_url, f"DROP EVENT TRIGGER IF EXISTS watch; DROP OWNED BY {role}; DROP ROLE {role}")


def test_a_schema_with_a_new_name_is_compared_under_it(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    (tmp_path / "001_a.sql").write_text("CREATE SCHEMA old; CREATE TABLE old.a (id INT)")
    (tmp_path / "002_b.sql").write_text('ALTER SCHEMA Old RENAME TO "New One"; CREATE TABLE "New One".b (id INT)')
    (tmp_path / "003_c.sql").write_text("CREATE SCHEMA old; CREATE TABLE old.c (id INT)")
    runner.deploy(target(postgresql_url, tmp_path))
    assert verify.verify(postgresql_url, tmp_path).drift == ()
    assert runner.detect(target(postgresql_url, tmp_path)).names[-1] == "003_c"
    rows(postgresql_url, 'DROP TABLE "New One".b, old.c')
    assert verify.verify(postgresql_url, tmp_path).drift == (
        'schema "New One": table b is missing',
        "schema old: table c is missing",
    )

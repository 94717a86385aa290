"""Migrations that use every verb, and those that are undone again."""

from __future__ import annotations

from pathlib import Path

from tests.support.migrations import write

_PEOPLE = """
@migrator.create_model
class Author(pw.Model):
    name = pw.CharField(max_length=40, index=True)
    email = pw.CharField(max_length=80, unique=True, null=True)
    rank = pw.IntegerField(null=True)
    joined = pw.DateTimeField()
    class Meta:
        table_name = "authors"

@migrator.create_model
class Book(pw.Model):
    author = pw.ForeignKeyField(Author, on_delete="CASCADE")
    title = pw.TextField()
    price = pw.IntegerField(null=True)
    class Meta:
        table_name = "books"
        indexes = ((("author", "title"), False),)
        constraints = [pw.SQL("CONSTRAINT books_price CHECK (price IS NULL OR price >= 0)")]

@migrator.create_model
class Draft(pw.Model):
    text = pw.TextField()
    class Meta:
        table_name = "drafts"
"""
_FIELDS = """
migrator.add_fields(
    "authors",
    language=pw.CharField(max_length=5, default="de"),
    born=pw.DateField(null=True),
    score=pw.IntegerField(default=1, constraints=[pw.SQL("DEFAULT 1")]),
    mentor=pw.ForeignKeyField(migrator.orm["authors"], null=True, on_delete="SET NULL"),
    secret=pw.UUIDField(null=True, unique=True),
)
"""
_CHANGES = """
migrator.change_fields("authors", name=pw.TextField(), rank=pw.BigIntegerField(null=True))
migrator.remove_fields("authors", "secret", "born")
migrator.rename_field("books", "title", "heading")
migrator.rename_table("drafts", "sketches")
"""
_NULLS = """
is_sqlite = isinstance(database, pw.SqliteDatabase)
migrator.add_index("books", "author", "price")
migrator.add_index("authors", "rank")
migrator.add_not_null("authors", "joined")
migrator.sql("UPDATE books SET price = 0 WHERE price IS NULL")
migrator.add_not_null("books", "price")
migrator.drop_not_null("books", "heading")
migrator.add_default("books", "price", 7)
migrator.drop_constraints("books", "books_price")
migrator.add_constraint("books", "books_dear", pw.SQL("CHECK (price < 1000)"))
migrator.change_constraints("books", pw.SQL("CONSTRAINT books_dear CHECK (price < 1000)"), pw.Check("price > -5"))
migrator.sql("UPDATE authors SET name = name || %s" if not is_sqlite else "UPDATE authors SET name = name || ?", " 🐙")
migrator.drop_index("authors", "rank")
"""
_SQL = """
-- A comment; with a semicolon
CREATE TABLE notes (id INTEGER PRIMARY KEY, author_id INTEGER REFERENCES authors (id), text TEXT DEFAULT 'a;b');
INSERT INTO notes (id, author_id, text) SELECT id, id, name || '; 100 % ✓' FROM authors;
INSERT INTO notes (id) VALUES (100);
UPDATE authors SET rank = coalesce(rank, 0) + 1;
CREATE VIEW dear AS SELECT heading, price FROM books WHERE price > 10;
DELETE FROM sketches WHERE text = 'twice';
"""
_RUN = """
def count_up():
    Author = migrator.orm["authors"]
    for author in Author.select().order_by(Author.id):
        Author.update(rank=Author.rank + 10).where(Author.id == author.id).execute()
    with database.atomic():
        database.execute_sql("INSERT INTO sketches (text) VALUES ('from a function')")
migrator.run(count_up)
migrator.change_settings("notes_of_old", strict_tables=True)
migrator.change_primary_key("notes_of_old", "id", "text")
migrator.change_primary_key("notes_of_old", number=pw.AutoField())
migrator.remove_model("notes_of_old")
"""
_OLD_NOTES = """
@migrator.create_model
class Old(pw.Model):
    text = pw.TextField()
    class Meta:
        table_name = "notes_of_old"
migrator.sql("INSERT INTO notes_of_old (text) VALUES ('x'), ('x')")
"""
# Each step leaves something that a second run of it would trip over or count twice.
_STEPS = """
@migrator.create_model
class Log(pw.Model):
    text = pw.CharField(index=True)
    number = pw.IntegerField(unique=True)
    class Meta:
        table_name = "logs"
migrator.sql("INSERT INTO logs (text, number) VALUES ('ä', 1), ('ä', 2), ('ü', 3)")
migrator.add_fields("logs", kind=pw.CharField(default="plain"), author=pw.ForeignKeyField(migrator.orm["authors"],
                    null=True, on_delete="SET NULL"))
migrator.sql("UPDATE logs SET number = number * 10; UPDATE authors SET rank = rank + 100")
CONCURRENTLY = "" if isinstance(database, pw.SqliteDatabase) else "CONCURRENTLY"
migrator.sql(f"CREATE INDEX {CONCURRENTLY} logs_kind ON logs (kind)")
migrator.sql(f"CREATE UNIQUE INDEX {CONCURRENTLY} IF NOT EXISTS logs_number_kind ON logs (number, kind)")
def more():
    database.execute_sql("INSERT INTO logs (text, number, kind) VALUES ('from a function', 7, 'run')")
    migrator.orm["authors"].update(rank=migrator.orm["authors"].rank * 2).execute()
migrator.run(more)
migrator.backfill("logs", {"number": migrator.orm["logs"].number + 1}, batch=2)
migrator.backfill("authors", lambda author: {"rank": author.rank + 1000}, batch=2)
migrator.sql(f"DROP INDEX {CONCURRENTLY} logs_kind")
"""
# What a function or a backfill reads must still have its name when it runs: the renames are a migration of their own.
_MORE_STEPS = """
migrator.rename_field("logs", "kind", "sort")
migrator.change_fields("logs", text=pw.TextField())
migrator.add_not_null("logs", "text")
migrator.drop_not_null("logs", "number")
migrator.add_default("logs", "number", 5)
migrator.add_index("logs", "sort", "text", concurrently=True)
migrator.drop_index("logs", "sort", "text")
migrator.add_constraint("logs", "logs_positive", pw.SQL("CHECK (number > 0)"))
migrator.change_constraints("logs", pw.SQL("CONSTRAINT logs_positive CHECK (number > 0)"), pw.Check("number > -5"))
migrator.drop_constraints("logs", "logs_positive")
migrator.remove_fields("logs", "author")
migrator.remove_model("sketches")
migrator.rename_table("logs", "diary")
migrator.change_primary_key("diary", "id", "text")
migrator.change_settings("diary", without_rowid=True)
"""
_SQL_STEPS = """
-- atomic: false
CREATE TABLE visits (id INTEGER PRIMARY KEY, author_id INTEGER, number INTEGER DEFAULT 0);
INSERT INTO visits (id, author_id) SELECT id, id FROM authors;
CREATE INDEX {concurrently} IF NOT EXISTS visits_author ON visits (author_id);
UPDATE visits SET number = number + 1;
{maintain}
CREATE UNIQUE INDEX {concurrently} visits_once ON visits (author_id) WHERE number > 0;
UPDATE visits SET number = number + 1;
DROP INDEX {concurrently} visits_author;
ALTER TABLE visits ADD COLUMN note TEXT;
"""
_POSTGRESQL_ONLY = "VACUUM visits;\nREINDEX INDEX CONCURRENTLY visits_author;"


# What each step of a rollback takes away, a second run of it would miss, or count twice.
_UNDONE = """
CONCURRENTLY = "" if isinstance(database, pw.SqliteDatabase) else "CONCURRENTLY"
migrator.sql("CREATE TABLE marks (id INTEGER PRIMARY KEY)")
migrator.add_fields("authors", mood=pw.CharField(default="calm"), shoe=pw.IntegerField(null=True))
migrator.sql(f"CREATE INDEX {CONCURRENTLY} authors_mood ON authors (mood)")
"""
_UNDO = """
CONCURRENTLY = "" if isinstance(database, pw.SqliteDatabase) else "CONCURRENTLY"
migrator.sql(f"DROP INDEX {CONCURRENTLY} authors_mood")
migrator.sql("UPDATE authors SET rank = coalesce(rank, 0) + 7")
migrator.run(lambda: database.execute_sql("UPDATE books SET price = price + 1"))
migrator.backfill("authors", {"rank": migrator.orm["authors"].rank * 2}, batch=2)
migrator.backfill("authors", lambda author: {"rank": author.rank + 1000}, batch=2)
migrator.remove_fields("authors", "mood", "shoe")
migrator.sql("DROP TABLE marks")
migrator.sql(f"CREATE INDEX {CONCURRENTLY} authors_rank ON authors (rank)")
"""
_UNDO_SQL = """
-- atomic: false
DROP INDEX {concurrently} visits_author;
INSERT INTO drafts (text) SELECT 'of a visit' FROM visits;
UPDATE authors SET rank = coalesce(rank, 0) * 2 + 1;
DROP TABLE visits;
"""


def write_undone(folder: Path, *, is_sqlite: bool) -> Path:
    """Migrations with a way back: in one transaction, in steps, and in SQL."""
    write(folder, "001_people", _PEOPLE)
    write(folder, "002_fields", _FIELDS, "migrator.remove_fields('authors', 'secret', 'mentor', 'born', 'language')")
    write(folder, "003_steps", _UNDONE, _UNDO, top="atomic = False")
    concurrently = "" if is_sqlite else "CONCURRENTLY"
    (folder / "004_visits.sql").write_text(
        "-- atomic: false\nCREATE TABLE visits (id INTEGER PRIMARY KEY, author_id INTEGER);\n"
        f"INSERT INTO visits (id) VALUES (1), (2);\nCREATE INDEX {concurrently} visits_author ON visits (author_id);",
        "utf-8",
    )
    (folder / "004_visits.down.sql").write_text(_UNDO_SQL.format(concurrently=concurrently), "utf-8")
    return folder


def write_corpus(folder: Path, *, is_sqlite: bool) -> Path:
    """The files; what only one engine can do is written for that engine."""
    write(folder, "001_people", _PEOPLE)
    write(folder, "002_fields", _FIELDS)
    write(folder, "003_changes", _CHANGES)
    write(folder, "004_nulls", _NULLS)
    (folder / "005_notes.sql").write_text(_SQL, "utf-8")
    write(folder, "006_old_notes", _OLD_NOTES)
    write(folder, "007_run", _RUN)
    write(folder, "008_steps", _STEPS, top="atomic = False")
    words = {"concurrently": "", "maintain": "VACUUM;"}
    if not is_sqlite:
        words = {"concurrently": "CONCURRENTLY", "maintain": _POSTGRESQL_ONLY}
    write(folder, "009_more_steps", _MORE_STEPS, top="atomic = False")
    (folder / "010_sql_steps.sql").write_text(_SQL_STEPS.format(**words), "utf-8")
    return folder

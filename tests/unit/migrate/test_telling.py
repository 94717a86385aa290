"""What is said below a statement that is rehearsed: decided from what it was seen to do."""

from __future__ import annotations

import pytest

from service.migrate.rehearsing.telling import told
from service.migrate.rehearsing.touch import Observed, Touch

ROWS, BYTES = 1_234_567, 340_900_000
BIG = "messages (about 1.2 million rows, 340 MB)"


def big(lock: str = "", *, rewrites: bool = False, reads: bool = True, table: str = "messages") -> Touch:
    return Touch(table, lock, rewrites, reads, ROWS, BYTES)


def small(lock: str, table: str = "chatbots") -> Touch:
    return Touch(table, lock, rows=12)


ADDED = Observed("ALTER TABLE messages ADD COLUMN size INTEGER", (big("ACCESS EXCLUSIVE", reads=False),))
INDEX = Observed("CREATE INDEX i ON messages (size)", (big("SHARE"),))
UPDATE = Observed("UPDATE messages SET size = 1", (big("ROW EXCLUSIVE"),))
VALIDATED = Observed("ALTER TABLE messages VALIDATE CONSTRAINT c", (big("SHARE UPDATE EXCLUSIVE"),))
PLAIN = Observed("CREATE TABLE plain (id INTEGER)")
CONCURRENTLY = (
    "`CREATE INDEX CONCURRENTLY` lets others write: `add_index(…, concurrently=True)`, with `atomic = False`."
)
IN_BATCHES = "`migrator.backfill` changes the rows in batches, each committed on its own, with `atomic = False`."


def on_postgresql(*seen: Observed, atomic: bool = True) -> list[tuple[str, ...]]:
    return told(seen, atomic=atomic, is_sqlite=False)


@pytest.mark.parametrize(
    ("lock", "sentence"),
    [
        ("ACCESS EXCLUSIVE", ("Nobody reads or writes chatbots for a moment.",)),
        ("EXCLUSIVE", ("Nobody writes chatbots for a moment.",)),
        ("SHARE ROW EXCLUSIVE", ("Nobody writes chatbots for a moment.",)),
        ("SHARE", ("Nobody writes chatbots for a moment.",)),
        ("SHARE UPDATE EXCLUSIVE", ()),
        ("ROW EXCLUSIVE", ()),
        ("", ()),
    ],
)
def test_a_lock_is_told_as_what_it_keeps_others_from(lock: str, sentence: tuple[str, ...]) -> None:
    assert on_postgresql(Observed("…", (small(lock),))) == [sentence]


def test_what_nobody_has_to_wait_for_goes_without_a_word() -> None:
    assert on_postgresql(PLAIN, VALIDATED, Observed("…", (small("ROW EXCLUSIVE"),))) == [(), (), ()]


def test_a_lock_that_is_held_is_told_once_in_a_transaction_and_a_stronger_one_again() -> None:
    weak, strong = Observed("…", (small("SHARE"),)), Observed("…", (small("ACCESS EXCLUSIVE"),))
    writes, all_of_it = ("Nobody writes chatbots for a moment.",), ("Nobody reads or writes chatbots for a moment.",)
    assert on_postgresql(weak, weak, strong, weak) == [writes, (), all_of_it, ()]
    assert on_postgresql(weak, weak, strong, weak, atomic=False) == [writes, writes, all_of_it, writes]


def test_what_works_through_a_large_table_is_told_with_its_size_and_with_another_way() -> None:
    assert on_postgresql(INDEX) == [
        (f"Reads all of {BIG}: nobody writes messages until the migration ends.", CONCURRENTLY)
    ]
    assert on_postgresql(INDEX, atomic=False) == [
        (f"Reads all of {BIG}: nobody writes messages until that is done.", CONCURRENTLY)
    ]


def test_a_lock_that_comes_before_what_takes_long_is_held_all_the_while() -> None:
    assert on_postgresql(ADDED, PLAIN, UPDATE) == [
        ("Nobody reads or writes messages until the migration ends; what follows takes long.",),
        (),
        (f"Reads all of {BIG}: nobody reads or writes messages until the migration ends.", IN_BATCHES),
    ]
    assert on_postgresql(ADDED, UPDATE, atomic=False)[0] == ("Nobody reads or writes messages for a moment.",)


def test_who_is_kept_out_of_which_table_is_said_of_all_that_are_held() -> None:
    key = Observed("ALTER TABLE …", (small("SHARE ROW EXCLUSIVE"), big("ACCESS EXCLUSIVE"), small("SHARE", "people")))
    ((said,),) = on_postgresql(key)
    kept_out = "nobody reads or writes messages, nobody writes chatbots or people"
    assert said == f"Reads all of {BIG}: {kept_out} until the migration ends."


def test_of_many_parts_of_a_table_a_few_are_named() -> None:
    parts = tuple(small("SHARE", f"part{number}") for number in range(1, 8))
    assert on_postgresql(Observed("…", parts)) == [("Nobody writes part1 or part2 or part3 or 4 more for a moment.",)]
    assert on_postgresql(Observed("…", parts[:4])) == [
        ("Nobody writes part1 or part2 or part3 or part4 for a moment.",)
    ]
    ((said,),) = on_postgresql(Observed("…", tuple(big("SHARE", table=f"part{number}") for number in range(1, 8))))
    assert said.startswith("Reads all of part1 (about")
    assert ", and so on: nobody writes part1 or" in said


def test_an_update_on_its_own_keeps_its_rows() -> None:
    held = f"Reads all of {BIG}: the rows of messages that it changes stay locked until the migration ends."
    assert on_postgresql(UPDATE) == [(held, IN_BATCHES)]


@pytest.mark.parametrize(
    ("sql", "rewrites", "way"),
    [
        ("CREATE UNIQUE INDEX i ON messages (n)", False, CONCURRENTLY),
        ("ALTER TABLE messages ADD CONSTRAINT c CHECK (n > 0)", False, "Add it with NOT VALID, and"),
        ('ALTER TABLE "messages" ADD FOREIGN KEY (n) REFERENCES chatbots (id)', False, "Add it with NOT VALID, and"),
        ("ALTER TABLE messages ADD UNIQUE (n)", False, "Others write while `CREATE UNIQUE INDEX CONCURRENTLY`"),
        ("ALTER TABLE messages ALTER COLUMN n SET NOT NULL", False, "It reads nothing where a CHECK (… IS NOT NULL)"),
        ("ALTER TABLE messages ALTER n TYPE BIGINT", True, "A new column of that type, filled by"),
        ("ALTER TABLE messages ADD COLUMN u UUID DEFAULT gen_random_uuid()", True, "Without the default, and NOT NULL"),
        ("UPDATE messages SET n = 1", False, IN_BATCHES),
    ],
)
def test_there_is_a_way_that_fits_the_case(sql: str, rewrites: bool, way: str) -> None:
    _, said = on_postgresql(Observed(sql, (big("ACCESS EXCLUSIVE", rewrites=rewrites),)))[0]
    assert said.startswith(way)


@pytest.mark.parametrize(
    ("sql", "rewrites"),
    [
        ("ALTER TABLE messages ADD COLUMN twice INTEGER GENERATED ALWAYS AS (n * 2) STORED", True),
        ("ALTER TABLE messages ALTER n TYPE BIGINT", False),
        ("CLUSTER messages USING i", True),
        ("REINDEX TABLE messages", False),
        ("DELETE FROM messages", False),
    ],
)
def test_where_no_way_is_known_none_is_told(sql: str, rewrites: bool) -> None:
    assert len(on_postgresql(Observed(sql, (big("ACCESS EXCLUSIVE", rewrites=rewrites),)))[0]) == 1


def test_of_a_small_table_the_work_is_not_told() -> None:
    few = Touch("messages", "SHARE", reads=True, rows=99_999, bytes=99_999_999)
    assert on_postgresql(Observed(INDEX.sql, (few,))) == [("Nobody writes messages for a moment.",)]


def test_what_could_not_be_tried_is_said() -> None:
    assert on_postgresql(Observed("…", untried="permission denied")) == [
        ("What this locks could not be tried: permission denied.",)
    ]


def test_on_sqlite_only_what_takes_long_is_told_and_what_makes_a_table_anew() -> None:
    few = Touch("chatbots", rewrites=True, reads=True, rows=12)
    seen = [PLAIN, UPDATE, Observed("INSERT …", (few,)), Observed("CREATE INDEX …", (Touch("chatbots", reads=True),))]
    assert told(seen, atomic=True, is_sqlite=True) == [
        (),
        (f"Reads all of {BIG}.",),
        ("Makes chatbots (about 12 rows) anew.",),
        (),
    ]


def test_who_only_reads_a_large_table_keeps_nobody_waiting_unless_a_lock_is_held() -> None:
    copied = Observed("INSERT INTO plain SELECT id FROM messages", (big(),))
    assert on_postgresql(copied, VALIDATED) == [(), ()]
    assert on_postgresql(ADDED, copied)[1] == (
        f"Reads all of {BIG}: nobody reads or writes messages until the migration ends.",
    )


@pytest.mark.parametrize(
    ("rows", "size", "words"),
    [
        (None, None, "messages"),
        (0, None, "messages (about 0 rows)"),
        (1, 8192, "messages (about 1 row)"),
        (98, None, "messages (about 98 rows)"),
        (198_734, 2_400_000, "messages (about 200,000 rows, 2 MB)"),
        (None, 3_460_000_000, "messages (3.5 GB)"),
        (1_250_000_000, None, "messages (about 1,250.0 million rows)"),
    ],
)
def test_a_size_is_told_roughly(rows: int | None, size: int | None, words: str) -> None:
    assert Touch("messages", rows=rows, bytes=size).words == words

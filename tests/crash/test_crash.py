"""A deploy that is killed anywhere is finished by one more plain deploy, without a person."""

from __future__ import annotations

import os
import re
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from service.migrate.altering.verbs import Migrator
from service.url import ROOT, DatabaseUrl
from tests.crash import corpus, harness, population
from tests.crash.points import How
from tests.support.pgbouncer import pgbouncer

# A quick look at a few of the points, spread over the corpus; `make crash-test` takes every one, and
# with CRASH_EVERY=7 every seventh.
QUICK = {"sqlite": 139, "postgresql": 113}
QUICK_TOGETHER = {"sqlite": 193, "postgresql": 149}
QUICK_BACK = {"sqlite": 139, "postgresql": 101}
VERB = re.compile(r"migrator\.(\w+)")
EVERY = int(os.environ.get("CRASH_EVERY", "1"))


@pytest.fixture(params=["migrations", "corpus"])
def source(request: pytest.FixtureRequest, database_url: DatabaseUrl, tmp_path: Path) -> Path:
    if request.param == "migrations":
        return ROOT / "migrations"
    return corpus.write_corpus(tmp_path / "corpus", is_sqlite=database_url.is_sqlite)


def crash(
    url: DatabaseUrl,
    source: Path,
    folder: Path,
    how: How,
    step: int,
    *,
    command: str = "deploy",
    pooled: bool = False,
    at_once: bool = False,
) -> None:
    """Every `step`th point; prints what came of it."""
    fill = population.service_rows if source.name == "migrations" else population.corpus_rows
    with ExitStack() as stack:
        prepare = harness.prepared_at_once if at_once else partial(harness.prepared, command=command)
        stages = stack.enter_context(prepare(url, source, fill, folder / "stages"))
        if pooled:
            pooler = stack.enter_context(pgbouncer(url)).port
            stages = [harness.through(stage, pooler, folder) for stage in stages]
        points = [point for stage in stages for point in harness.crashes(stage, how)][::step]
        troubles = harness.survive_all(points, folder)
    way = (", through a pooler" if pooled else "") + (", all at once" if at_once else "")
    print(f"{url.engine}{way}, {command} of {source.name}, {how}: {harness.summary(len(points), troubles)}")  # noqa: T201  # what it is run for
    assert points
    assert troubles == []


def test_the_corpus_uses_every_verb_in_a_transaction_and_in_steps(tmp_path: Path) -> None:
    texts = [path.read_text() for path in corpus.write_corpus(tmp_path / "m", is_sqlite=False).glob("*.py")]
    in_steps = {verb for text in texts if "atomic = False" in text for verb in VERB.findall(text)}
    together = {verb for text in texts if "atomic = False" not in text for verb in VERB.findall(text)}
    verbs = {name for name in dir(Migrator) if not name.startswith("_")} - {"begin", "fake", "orm"}
    assert verbs - in_steps == set()
    assert verbs - together == {"backfill"}  # which commits each of its batches


def test_a_few_killed_deploys_are_finished_by_the_next_one(database_url: DatabaseUrl, tmp_path: Path) -> None:
    source = corpus.write_corpus(tmp_path / "corpus", is_sqlite=database_url.is_sqlite)
    crash(database_url, source, tmp_path, "killed", QUICK[database_url.engine])


def test_a_few_killed_deploys_of_many_migrations_are_finished_by_the_next_one(
    database_url: DatabaseUrl, tmp_path: Path
) -> None:
    source = corpus.write_corpus(tmp_path / "corpus", is_sqlite=database_url.is_sqlite)
    crash(database_url, source, tmp_path, "killed", QUICK_TOGETHER[database_url.engine], at_once=True)


def test_a_few_killed_rollbacks_are_finished_by_the_next_one(database_url: DatabaseUrl, tmp_path: Path) -> None:
    source = corpus.write_undone(tmp_path / "undone", is_sqlite=database_url.is_sqlite)
    crash(database_url, source, tmp_path, "killed", QUICK_BACK[database_url.engine], command="rollback")


@pytest.mark.crash
def test_a_deploy_of_many_migrations_killed_anywhere_is_finished_by_the_next_one(
    database_url: DatabaseUrl, source: Path, tmp_path: Path
) -> None:
    crash(database_url, source, tmp_path, "killed", EVERY, at_once=True)


@pytest.mark.crash
@pytest.mark.parametrize("name", ["migrations", "undone"])
def test_a_rollback_killed_anywhere_is_finished_by_the_next_one(
    database_url: DatabaseUrl, tmp_path: Path, name: str
) -> None:
    source = ROOT / "migrations"
    if name == "undone":
        source = corpus.write_undone(tmp_path / "undone", is_sqlite=database_url.is_sqlite)
    crash(database_url, source, tmp_path, "killed", EVERY, command="rollback")


@pytest.mark.crash
def test_a_deploy_killed_anywhere_is_finished_by_the_next_one(
    database_url: DatabaseUrl, source: Path, tmp_path: Path
) -> None:
    crash(database_url, source, tmp_path, "killed", EVERY)


def test_a_few_deploys_killed_within_a_statement_are_finished_by_the_next_one(
    database_url: DatabaseUrl, tmp_path: Path
) -> None:
    source = corpus.write_undone(tmp_path / "undone", is_sqlite=database_url.is_sqlite)
    crash(database_url, source, tmp_path, "cut off", QUICK[database_url.engine])


@pytest.mark.crash
def test_a_deploy_killed_within_any_statement_is_finished_by_the_next_one(
    database_url: DatabaseUrl, source: Path, tmp_path: Path
) -> None:
    # Each takes half a second: every statement of the corpus, and a third of the service's own.
    crash(database_url, source, tmp_path, "cut off", EVERY if source.name == "corpus" else 3 * EVERY)


@pytest.mark.crash
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_deploy_whose_session_is_terminated_anywhere_is_finished_by_the_next_one(
    database_url: DatabaseUrl, source: Path, tmp_path: Path
) -> None:
    crash(database_url, source, tmp_path, "terminated", EVERY)


@pytest.mark.crash
def test_a_deploy_through_a_pooler_killed_anywhere_is_finished_by_the_next_one(
    postgresql_url: DatabaseUrl, tmp_path: Path
) -> None:
    source = corpus.write_corpus(tmp_path / "corpus", is_sqlite=False)
    crash(postgresql_url, source, tmp_path, "killed", 3 * EVERY, pooled=True)

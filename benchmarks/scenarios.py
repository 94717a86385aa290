"""What is compared, and what is aimed at."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks import migrations, tools
from benchmarks.databases import Databases
from benchmarks.figures import Figure, Result
from benchmarks.measure import Contender, Times, race, run
from benchmarks.tools import PEERS, SLIPWAY, SLIPWAY_SQL, Tool

MANY, SOME, FEW = 1_000, 100, 10
_PEERS = [tool.name for tool in PEERS]


@dataclass(frozen=True)
class Bench:
    """Where to measure: one engine, a folder for the projects, and how often."""

    engine: str
    databases: Databases
    folder: Path
    rounds: int
    made: set[str] = field(default_factory=set)

    def project(self, tool: Tool, count: int) -> Path:
        """A folder with so many migrations of the tool's, made when first asked for."""
        folder = self.folder / self._name(tool, count)
        if not folder.exists():
            tool.write(folder, self.statements(count))
        return folder

    def statements(self, count: int) -> list[str]:
        return migrations.statements(count, is_sqlite=self.databases.is_sqlite)

    def applied(self, tool: Tool, count: int) -> str:
        """The name of a database that has all of such a project."""
        name = self._name(tool, count)
        if name not in self.made:
            self.databases.create(name)
            run(tool.deploy(self.project(tool, count), self.databases.url(name)))
            self.made.add(name)
        return name

    def deploy(self, tool: Tool, count: int, start: str = "", name: str = "") -> Contender:
        """A deploy of so many migrations on a copy of `start`, or on an empty database."""
        target = f"{name or self._name(tool, count)}_target".lower().replace(" ", "_").replace(",", "")
        found = tool.deploy(self.project(tool, count), self.databases.url(target))
        return replace(found, name=name or tool.name, reset=lambda: self.databases.create(target, start))

    def result(self, title: str, times: Times, *figures: Figure) -> Result:
        medians = [(name, times.median(name)) for name in times.seconds]
        return Result(f"{title}, {self.engine}", medians, figures)

    @staticmethod
    def _name(tool: Tool, count: int) -> str:
        return re.sub(r"\W+", "_", f"{tool.name.lower()}_{count}")


def no_op(bench: Bench) -> Result:
    """A deploy with nothing to do, which every start of the service pays for."""
    contenders = [tools.floor(bench.databases.url(bench.applied(SLIPWAY, MANY)))]
    for tool, count, name in [
        (SLIPWAY, MANY, "Slipway"),
        (SLIPWAY, FEW, f"Slipway, {FEW} applied"),
        *((tool, MANY, tool.name) for tool in PEERS),
    ]:
        url = bench.databases.url(bench.applied(tool, count))
        contenders.append(replace(tool.deploy(bench.project(tool, count), url), name=name))
    times = race(contenders, bench.rounds)
    peer = times.fastest(_PEERS)
    return bench.result(
        f"No-op deploy, {MANY:,} applied",
        times,
        Figure("against the floor", times.ratio("Slipway", "floor"), 2.0 if bench.databases.is_sqlite else 1.3),
        Figure(f"against {FEW} applied", times.ratio("Slipway", f"Slipway, {FEW} applied"), 1.1),
        Figure(f"against the fastest peer, {peer}", times.ratio("Slipway", peer), 0.5),
    )


def pending(bench: Bench) -> Result:
    """A first deploy: a hundred migrations on an empty database; in Python, as the peers have them, and in SQL."""
    script = bench.folder / f"{SOME}.sql"
    migrations.write_sql(script, bench.statements(SOME))
    plain = tools.plain_sql(script, bench.databases.url("plain"))
    contenders = [replace(plain, reset=lambda: bench.databases.create("plain"))]
    times = race([*contenders, *(bench.deploy(tool, SOME) for tool in (SLIPWAY, SLIPWAY_SQL, *PEERS))], bench.rounds)
    peer = times.fastest(_PEERS)
    figures = [
        Figure(f"in Python, as the peers have it, against the fastest, {peer}", times.ratio("Slipway", peer), 1.0),
        Figure(f"in SQL, our fastest form, against the fastest peer, {peer}", times.ratio(SLIPWAY_SQL.name, peer), 1.0),
    ]
    if not bench.databases.is_sqlite:
        figures.insert(0, Figure("in SQL, against `psql -f`", times.ratio(SLIPWAY_SQL.name, "plain SQL"), 1.8))
    return bench.result(f"{SOME} pending", times, *figures)


def one_more(bench: Bench) -> Result:
    """What a long history costs the next migration."""
    long, short = f"on top of {MANY:,}", f"on top of {FEW}"
    contenders = [
        bench.deploy(SLIPWAY, MANY + 1, bench.applied(SLIPWAY, MANY), long),
        bench.deploy(SLIPWAY, FEW + 1, bench.applied(SLIPWAY, FEW), short),
    ]
    times = race(contenders, bench.rounds)
    return bench.result("1 pending", times, Figure(f"{long} against {short}", times.ratio(long, short), 1.3))


def status(bench: Bench) -> Result:
    url, folder = bench.databases.url(bench.applied(SLIPWAY, MANY)), bench.project(SLIPWAY, MANY)
    times = race([tools.floor(url), tools.slipway("status", folder, url)], bench.rounds)
    figure = Figure("against the floor", times.ratio("Slipway status", "floor"), 1.5)
    return bench.result(f"Status, {MANY:,} applied", times, figure)


def proof(bench: Bench) -> Result:
    """Every migration replayed in the shadow, and two schemas compared."""
    url, folder = bench.databases.url(bench.applied(SLIPWAY, SOME)), bench.project(SLIPWAY, SOME)
    newest = migrations.names(SOME)[-1]
    forget = tools.slipway("resolve", folder, url, "--rolled-back", newest)
    resolve = tools.slipway("resolve", folder, url, "--applied", newest)
    verify = tools.slipway("verify", folder, url, "--skip-models")

    def reset() -> None:
        run(forget)

    times = race([verify, replace(resolve, reset=reset)], bench.rounds)
    figures = [Figure(name, times.median(name), 2.0, unit=" s") for name in times.seconds]
    return bench.result(f"Proof, {SOME} applied", times, *figures)


def parts(bench: Bench) -> Result:
    """What a deploy consists of: each process does what the one before it does, and one thing more."""
    url, few = (bench.databases.url(bench.applied(SLIPWAY, count)) for count in (MANY, FEW))
    driver = "sqlite3" if bench.databases.is_sqlite else "psycopg2"
    library = [driver, "pathlib", "typing", "threading", "signal"]
    in_sql = [*library, "service.migrate.command.console", "service.migrate.applying.apply"]
    in_python = [*in_sql, "service.migrate.applying.adopted"]
    contenders = [
        tools.imports("the interpreter"),
        tools.imports("+ the driver", driver),
        replace(tools.floor(url), name="+ connecting and asking once: the floor"),
        replace(SLIPWAY.deploy(bench.project(SLIPWAY, FEW), few), name=f"no-op, {FEW} files"),
        replace(SLIPWAY.deploy(bench.project(SLIPWAY, MANY), url), name=f"no-op, {MANY:,} files"),
        tools.imports("the driver and the standard library of a deploy", *library),
        tools.imports("+ our own modules, for SQL", *in_sql),
        tools.imports("+ peewee, for Python", *in_python),
        tools.imports("+ peewee-migrate and the other verbs", *in_python, "service.migrate.altering.verbs"),
        bench.deploy(SLIPWAY_SQL, 1, name="1 pending, in SQL"),
        bench.deploy(SLIPWAY, 1, name="1 pending"),
        bench.deploy(SLIPWAY, SOME, name=f"{SOME} pending"),
    ]
    return bench.result("What a deploy consists of", race(contenders, bench.rounds))


EVERY = {scenario.__name__: scenario for scenario in (no_op, pending, one_more, status, proof, parts)}

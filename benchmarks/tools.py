"""The tools that are compared, each called in its own way, in one virtual environment of the benchmark's own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import migrations
from benchmarks.measure import Contender
from service.url import ROOT, DatabaseUrl
from tests.support.processes import as_text

VENV = ROOT / "build" / "benchmark"
PYTHON = VENV / "bin" / "python"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
# What pip and uv write for a console script; older ones import re, too.
_SCRIPT = """\
#!{python}
import sys
from service.migrate.cli import run
if __name__ == "__main__":
    sys.exit(run())
"""

_CONNECT = {True: "import sqlite3; c = sqlite3.connect({0!r})", False: "import psycopg2; c = psycopg2.connect({0!r})"}


@dataclass(frozen=True)
class Tool:
    """`write` makes a project of migrations in a folder that is not there yet; `deploy` is the command that applies
    what is pending in it."""

    name: str
    write: Callable[[Path, list[str]], None]
    deploy: Callable[[Path, DatabaseUrl], Contender]


def install() -> None:
    """Make the virtual environment, once for each state of the requirements; what is ours in it is always as it is
    now, or an older way to start would be measured."""
    wanted, stamp = REQUIREMENTS.read_text("utf-8"), VENV / "installed.txt"
    if not stamp.exists() or stamp.read_text("utf-8") != wanted:
        _install_peers()
        stamp.write_text(wanted, "utf-8")
    site = next((VENV / "lib").glob("python*/site-packages"))
    (site / "slipway.pth").write_text(f"{ROOT}\n", "utf-8")
    script = VENV / "bin" / "migrate"
    script.write_text(_SCRIPT.format(python=PYTHON), "utf-8")
    script.chmod(0o755)


def _install_peers() -> None:
    subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
    options = ["--quiet", "--disable-pip-version-check", "--require-hashes", "--requirement", str(REQUIREMENTS)]
    subprocess.run([PYTHON, "-m", "pip", "install", *options], check=True)


def slipway(command: str, folder: Path, url: DatabaseUrl, *options: str) -> Contender:
    """`migrate COMMAND`, as the console script that a person calls."""
    words = [VENV / "bin" / "migrate", "--database-url", as_text(url), "--dir", folder, command, *options]
    return Contender(f"Slipway {command}", words)


def floor(url: DatabaseUrl) -> Contender:
    """The least that a Python process can do with the database: start, connect, ask once."""
    where = url.name if url.is_sqlite else as_text(url)
    code = f"{_CONNECT[url.is_sqlite].format(where)}; c.cursor().execute('select 1')"
    return Contender("floor", [PYTHON, "-c", code])


def imports(name: str, *modules: str) -> Contender:
    """A process that imports these and ends as our own does; without any, the interpreter alone."""
    lines = [f"import {module}" for module in modules]
    return Contender(name, [PYTHON, "-c", "\n".join(["import os", *lines, "os._exit(0)"])])


def plain_sql(path: Path, url: DatabaseUrl) -> Contender:
    """The same SQL without any tool: `psql -f`, or Python's own sqlite3."""
    if url.is_sqlite:
        code = f"{_CONNECT[True].format(url.name)}; c.executescript(open({str(path)!r}).read())"
        return Contender("plain SQL", [PYTHON, "-c", code])
    return Contender("plain SQL", ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", as_text(url), "-f", path])


def _peewee_migrate(folder: Path, url: DatabaseUrl) -> Contender:
    words = [VENV / "bin" / "pw_migrate", "migrate", "--directory", folder, "--database", as_text(url)]
    return Contender("peewee-migrate", words)


def _playhouse(folder: Path, url: DatabaseUrl) -> Contender:
    return Contender("playhouse.migrations", [VENV / "bin" / "pwmigrate", as_text(url), "up", "--directory", folder])


def _alembic(folder: Path, url: DatabaseUrl) -> Contender:
    words = [VENV / "bin" / "alembic", "--config", folder / "alembic.ini", "upgrade", "head"]
    return Contender(
        "Alembic", words, env={"BENCHMARK_URL": as_text(url).replace("postgresql:", "postgresql+psycopg2:")}
    )


def _django(folder: Path, url: DatabaseUrl) -> Contender:
    settings = {"ENGINE": f"django.db.backends.{'sqlite3' if url.is_sqlite else 'postgresql'}", "NAME": url.name}
    if not url.is_sqlite:
        settings |= {"HOST": url.host, "PORT": str(url.port), "USER": url.user}
    env = {"BENCHMARK_DATABASE": json.dumps(settings), "DJANGO_SETTINGS_MODULE": "settings"}
    words = [VENV / "bin" / "django-admin", "migrate", "--no-input", "--pythonpath", folder]
    return Contender("Django", words, env=env)


SLIPWAY = Tool("Slipway", migrations.write_peewee, lambda folder, url: slipway("deploy", folder, url))
SLIPWAY_SQL = replace(SLIPWAY, name="Slipway, in SQL", write=migrations.write_sql_files)
PEERS = (
    Tool("peewee-migrate", migrations.write_peewee, _peewee_migrate),
    Tool("playhouse.migrations", migrations.write_playhouse, _playhouse),
    Tool("Alembic", migrations.write_alembic, _alembic),
    Tool("Django", migrations.write_django, _django),
)
